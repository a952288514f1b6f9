import hashlib
import json

import pytest

from cxrnet.model.bundle import CARD, CHECKSUMS, SEGMENTER, WEIGHTS, write_bundle
from cxrnet.model.config import BundleConfig

CONFIG_OF_LUNGS = BundleConfig(name="lungs", version="1.2", description="", lungs_include_heart=True)
FILES = {WEIGHTS: b"weights", SEGMENTER: b"graph", CARD: "# Lungs, möglichst".encode()}


def list_again(folder):
    """Write the checksums of the files of the folder again, as someone who changed them on purpose would."""
    names = [path.name for path in folder.iterdir() if path.name != CHECKSUMS]
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / CHECKSUMS).write_text(json.dumps({"sha256": sums}))


@pytest.fixture
def bundle(tmp_path):
    """A bundle that finds lungs, of files that hold nothing real."""
    return write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, FILES)
