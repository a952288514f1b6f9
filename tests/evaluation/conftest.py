"""A pipeline with the small model, and manifests on disk."""

from __future__ import annotations

import pytest

from tests.evaluation.material import write_films
from tests.screening.conftest import dicom, pipeline

__all__ = ["dicom", "pipeline"]


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Path of a manifest of twelve films with masks and classes; look, do not change."""
    return write_films(tmp_path_factory.mktemp("films"))[0]
