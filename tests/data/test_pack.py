import cv2
import h5py
import numpy as np
import pytest

from cxrnet.data.manifest import read_manifest
from cxrnet.data.mask_values import MaskValues
from cxrnet.data.pack import digest_files, open_pack
from cxrnet.errors import OutputError, UsageError
from cxrnet.imaging import read_radiograph
from cxrnet.imaging.preprocess import equalise, prepare
from cxrnet.model.config import PreparationConfig
from tests.data.conftest import write_mask, write_rows

SMALL = PreparationConfig(height=64, width=72)


@pytest.fixture
def pack(xrays):
    """Function that opens the pack of the manifest as it is now."""

    def opened(path=None, *, with_masks=True, **options):
        samples = read_manifest(xrays.csv).samples
        digests = digest_files(samples, with_masks=with_masks)
        path = path or xrays.folder / "xrays.h5"
        return open_pack(path, samples, SMALL, digests=digests, with_masks=with_masks, **options)

    return opened


@pytest.fixture
def unreadable(monkeypatch):
    """Function after which no file can be decoded: what is returned then comes from the pack."""
    return lambda: monkeypatch.setattr("cxrnet.data.pack.read_many", lambda *_, **__: pytest.fail("a file is read"))


def test_equalised_image_is_the_prepared_image(pack, xrays):
    pixels = read_radiograph(xrays.folder / "images" / "3.png").pixels
    expected = prepare(pixels, height=64, width=72, interpolation="area")
    np.testing.assert_array_equal(equalise(pack().images[3]), expected)


def test_pack_is_read_back_without_the_files(pack, unreadable):
    first = pack()
    unreadable()
    again = pack()
    for name in ("images", "masks", "details"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))


def test_changed_mask_is_read_again(pack, xrays):
    before = pack().masks[3]
    write_mask(xrays.folder / "masks" / "3.png", np.eye(80, 90, dtype=bool))
    assert not np.array_equal(pack().masks[3], before)


def test_other_mask_values_are_read_again(pack):
    assert pack().void is None
    pack(values=MaskValues(lung=("0",), void=("255",)))
    assert pack(values=MaskValues(lung=("0",), void=("255",))).void.any()


@pytest.mark.parametrize("kind", ["text", "hdf5"])
def test_file_that_is_no_pack_is_not_replaced(pack, xrays, kind):
    path = xrays.folder / "xrays.h5"
    if kind == "text":
        path.write_bytes(b"image,mask\n")
    else:
        with h5py.File(path, "w") as file:
            file["measurements"] = [1, 2]
    content = path.read_bytes()
    with pytest.raises(UsageError, match=r"is there and is no pack of cxrnet; name another file"):
        pack()
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_pack_is_made_again(pack, xrays, damage):
    path = xrays.folder / "xrays.h5"
    first, data = pack(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"cut": data[:-100], "flip": data}[damage])
    np.testing.assert_array_equal(pack().images, first.images)


def test_problems_of_the_files_are_kept(pack, xrays, unreadable):
    write_mask(xrays.folder / "masks" / "3.png", np.zeros((80, 90), bool))
    assert [problem.code for problem in pack().problems] == ["EMPTY_MASK"]
    unreadable()
    assert [problem.lines for problem in pack().problems] == [(5,)]


def test_pack_with_errors_is_not_kept(pack, xrays):
    (xrays.folder / "images" / "5.png").write_bytes(b"x")
    assert pack().has_errors
    assert not (xrays.folder / "xrays.h5").exists()


def test_row_without_a_mask_is_an_error_where_masks_are_read(pack, xrays):
    xrays.rows[3]["mask"] = ""
    write_rows(xrays.csv, xrays.rows)
    assert [(problem.code, problem.lines) for problem in pack().problems] == [("NO_MASK", (5,))]
    assert pack(with_masks=False).masks is None


def test_file_holds_labels_rows_and_one_chunk_per_image(pack, xrays):
    pack()
    with h5py.File(xrays.folder / "xrays.h5") as file:
        assert file["X"].chunks == (1, 64, 72)
        assert file["y"].asstr()[2] == "non-covid"
        assert '"patient_id": "p1"' in file["row"].asstr()[2]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_interrupted_pack_leaves_nothing(pack, xrays, stop):
    def interrupt(done, total):
        if done == 5:
            raise stop

    with pytest.raises(stop):
        pack(progress=interrupt)
    assert not list(xrays.folder.glob("*.h5")) + list(xrays.folder.glob(".*"))


def test_pack_that_cannot_be_written_says_so(pack, xrays):
    (xrays.folder / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"xrays\.h5: cannot be written"):
        pack(xrays.folder / "file" / "xrays.h5")


def test_full_disk_says_so_and_leaves_nothing(pack, xrays):
    resource = pytest.importorskip("resource", reason="limits on the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"xrays\.h5: cannot be written"):
            pack()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(xrays.folder.glob("*.h5")) + list(xrays.folder.glob(".*"))


def test_image_without_contrast_at_this_size_is_an_error(pack, xrays):
    image = np.zeros((800, 900), np.uint8)
    image[0, 0] = 1
    cv2.imwrite(str(xrays.folder / "images" / "5.png"), image)
    cv2.imwrite(str(xrays.folder / "masks" / "5.png"), np.eye(800, 900, dtype=np.uint8))
    assert [problem.code for problem in pack().problems if problem.kind == "error"] == ["IMAGE"]
