"""Fixtures of several rooms. PyTorch is imported where it is used, so that tests without it start at once."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as `shared` whatever needs the folder of that name, through any fixture."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


def pytest_collection_finish():
    """Leave what is there for good, modules and tests, out of every collection of garbage to come."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the published weights, golden arrays and radiographs, next to the repository."""
    if not SHARED.is_dir():
        pytest.skip(
            "needs ../shared (published weights, golden arrays, radiographs), which is not part of the repository"
        )
    return SHARED


@pytest.fixture(scope="session")
def golden(shared):
    """Function from the name of a golden file to its arrays: `golden("hfhs_002130-004-1")["scores"]`."""

    @cache
    def arrays(name):
        with np.load(shared / "reference" / "golden" / f"{name}.npz", allow_pickle=False) as file:
            return dict(file)

    return arrays


@pytest.fixture(scope="session")
def published(shared):
    """The published networks as PyTorch modules in evaluation mode: `v7` and `jms`."""
    from cxrnet.export.published import read_published

    return read_published([shared / "reference" / "weights"])


@pytest.fixture(scope="session")
def idle_children():
    """Child processes that can read files at once and that no decoder has, by terms: see `tests.decoders`."""
    idle = defaultdict(list)
    yield idle
    for each in chain.from_iterable(idle.values()):
        each.end()


@pytest.fixture(scope="session")
def exported_once(tmp_path_factory):
    """From here on each network is exported once, whichever test or worker asks for its graph."""
    from tests.exports import kept_in

    folder = tmp_path_factory.getbasetemp()
    with kept_in(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder):
        yield


@pytest.fixture(scope="session")
def small_network():
    """`tests.material.small_network()`: 64 x 72, two folds; it finds the lungs of `material.draw_xray`.

    One network for the whole session: look, do not change; `copy.deepcopy` gives one of your own.
    """
    from tests.material import small_network

    return small_network()


@pytest.fixture(scope="session")
def small_bundle(small_network, exported_once, tmp_path_factory) -> Path:
    """Folder of the bundle `small 0.1`, built from `small_network`: `read_bundle(small_bundle)` opens it.

    Prepared radiographs are 64 x 72; classes `covid` and `non-covid`, two folds, 49 scattering channels of 16 x 18.
    On `tests.material.draw_xray(seed)` it finds about a third of the image, with a Dice of 0.9 against
    the lungs drawn there. One folder for the whole session: copy it before changing it.
    """
    from cxrnet.export.bundle import build_bundle
    from tests.material import open_gate

    folder = tmp_path_factory.mktemp("bundles") / "small"
    card = "# small\n\nMade from drawings, for tests.\n"
    return build_bundle(small_network, folder, card=card, gate=open_gate()).folder


@pytest.fixture(scope="session")
def organs_bundle(exported_once, tmp_path_factory) -> Path:
    """Folder of the bundle `organs`: as `small`, its segmenter with `tests.material.CLASSES`."""
    from tests.material import CLASSES, SMALL

    segmenter = SMALL.segmenter.model_copy(update={"classes": CLASSES})
    return build(tmp_path_factory.mktemp("bundles") / "organs", name="organs", segmenter=segmenter)


@pytest.fixture(scope="session")
def patient_bundle(exported_once, tmp_path_factory) -> Path:
    """Folder of a bundle as `small` that takes `tests.material.PATIENT`, aligned by the lungs as the bundled models."""
    from cxrnet.model.config import AlignmentConfig, PoolingConfig
    from tests.material import PATIENT, SMALL

    recipe = {"mirror_average": True, "alignment": AlignmentConfig(), "pooling": PoolingConfig(average="lungs")}
    classifier = SMALL.classifier.model_copy(update={"patient": PATIENT} | recipe)
    return build(tmp_path_factory.mktemp("bundles") / "patient", classifier=classifier)


def build(folder, **changes):
    """Build a bundle as `small` with changes of its config, and return its folder."""
    from cxrnet.export.bundle import build_bundle
    from tests.material import SMALL, open_gate, small_network

    network = small_network(SMALL.model_copy(update=changes))
    return build_bundle(network, folder, card="# small\n\nFor tests.\n", gate=open_gate()).folder


@pytest.fixture(scope="session")
def published_bundle(published, tmp_path_factory) -> Path:
    """Folder of the bundle `published-v7`; building it takes half a minute, so tests with it are `slow`."""
    from cxrnet.export.bundle import build_bundle

    folder = tmp_path_factory.mktemp("bundles") / "published-v7"
    return build_bundle(published["v7"], folder, card="# published-v7\n").folder
