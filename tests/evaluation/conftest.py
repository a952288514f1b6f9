"""A pipeline with the small model, and manifests on disk."""

import pytest

from tests.decoders import kept_children
from tests.evaluation.material import write_images
from tests.screening.conftest import dicom, pipeline

__all__ = ["dicom", "kept_children", "pipeline"]


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Path of a manifest of twelve images with masks and classes; look, do not change."""
    return write_images(tmp_path_factory.mktemp("images"))[0]


@pytest.fixture
def without_charts(monkeypatch):
    """Leave out the charts, whose drawing takes most of an evaluation; for tests of its numbers."""
    monkeypatch.setattr("cxrnet.evaluation.classifier.classifier_charts", lambda *_, **__: [])
    monkeypatch.setattr("cxrnet.evaluation.segmenter.segmenter_charts", lambda *_, **__: [])
