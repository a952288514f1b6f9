import pytest

from cxrnet.bundle.config import BundleConfig
from cxrnet.bundle.folder import CARD, SEGMENTER, WEIGHTS, write_bundle

CONFIG_OF_LUNGS = BundleConfig(name="lungs", version="1.2", description="", lungs_include_heart=True)
FILES = {WEIGHTS: b"weights", SEGMENTER: b"graph", CARD: "# Lungs, möglichst".encode()}


@pytest.fixture
def bundle(tmp_path):
    """A bundle that finds lungs, of files that hold nothing real."""
    return write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, FILES)
