import cv2
import numpy as np
import pytest

from cxrnet.data.datasets.build import LAYOUTS, build_manifest
from cxrnet.data.manifest import read_manifest
from cxrnet.errors import ManifestError, UsageError
from cxrnet.imaging.preprocess import prepare
from tests.data.conftest import write_xray


def test_prepared_copy_gives_the_same_image_as_the_original(build, decoder, tmp_path):
    original = tmp_path / "set" / "COVID" / "1.png"
    original.parent.mkdir(parents=True)
    deep = np.random.default_rng(0).integers(0, 4096, (411, 523)).astype(np.uint16)
    cv2.imwrite(str(original), deep)
    _, rows = build("folders", tmp_path / "set", prepare=tmp_path / "small")
    paths = (original, tmp_path / rows[0]["image"])
    images = [prepare(decoder.read(path).pixels, interpolation="area") for path in paths]
    np.testing.assert_array_equal(*images)


def test_built_manifest_reads_back(montgomery, tmp_path):
    build_manifest("montgomery", montgomery, tmp_path / "lists" / "xrays.csv")
    samples = read_manifest(tmp_path / "lists" / "xrays.csv").samples
    assert [row.group for row in samples] == ["montgomery:MCUCXR_0001", "montgomery:MCUCXR_0104"]
    assert all(row.image.is_file() and row.mask.is_file() for row in samples)


def test_unknown_layout_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="nih: is not a known layout; choose from jsrt, montgomery"):
        build_manifest("nih", tmp_path, tmp_path / "xrays.csv")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_folder_is_refused(layout, tmp_path):
    with pytest.raises(ManifestError, match="nix: is not a folder; give what the"):
        build_manifest(layout, tmp_path / "nix", tmp_path / "xrays.csv")


def test_xray_that_cannot_be_read_is_left_out_of_prepared_copies(build, tmp_path):
    write_xray(tmp_path / "set" / "COVID" / "1.png")
    (tmp_path / "set" / "COVID" / "2.png").write_bytes(b"x")
    built, rows = build("folders", tmp_path / "set", prepare=tmp_path / "small")
    assert built.left_out == {"an image or mask is UNREADABLE": 1}
    assert len(rows) == 1
