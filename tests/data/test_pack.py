from __future__ import annotations

import pickle
import sys

import h5py
import numpy as np
import pytest

from cxrnet.data.manifest import read_manifest
from cxrnet.data.pack import Pack
from cxrnet.data.packing import class_weights, write_pack
from cxrnet.errors import ManifestError, MissingExtraError, OutputError, RadiographError
from cxrnet.imaging import read_radiograph
from cxrnet.imaging.preprocess import prepare
from cxrnet.model.config import PreparationConfig
from tests.data.conftest import write_rows

SMALL = PreparationConfig(height=64, width=72)


@pytest.fixture
def packed(films):
    """A pack of the twelve films."""
    write_pack(read_manifest(films.csv), films.folder / "films.h5", preparation=SMALL)
    with Pack(films.folder / "films.h5") as pack:
        yield pack


def test_image_is_the_prepared_film(packed, films):
    pixels = read_radiograph(films.folder / "images" / "3.png").pixels
    expected = prepare(pixels, height=64, width=72, interpolation="area")
    np.testing.assert_array_equal(packed[3].image, expected)


def test_item_has_mask_class_and_weight(packed):
    item = packed[2]
    assert packed.header.classes == ("covid", "non-covid")
    assert (item.label, item.weight, item.mask.shape) == (1, 1.0, (64, 72))
    assert set(np.unique(item.mask)) == {0, 255}


def test_mean_and_deviation_are_those_of_the_training_films(packed):
    training = np.stack([item.image for item in packed][:8])
    assert packed.header.standardisation.mean == pytest.approx(training.mean())
    assert packed.header.standardisation.std == pytest.approx(training.std())


def test_all_films_train_where_none_is_said_to(films):
    path = write_rows(films.folder / "bare.csv", [{"image": row["image"]} for row in films.rows])
    header = write_pack(read_manifest(path), films.folder / "films.h5", preparation=SMALL)
    with Pack(films.folder / "films.h5") as pack:
        assert header.standardisation.mean == pytest.approx(np.mean([item.image for item in pack]))
        assert (pack[0].label, pack[0].weight, pack[0].mask) == (-1, 1.0, None)


def test_rows_of_the_manifest_are_kept(packed, films):
    assert packed.rows() == films.rows


def test_one_chunk_is_one_film(packed):
    with h5py.File(packed.path) as file:
        assert file["X"].chunks == (1, 64, 72)
        assert file["X"].dtype == np.uint8


def test_pack_is_indexed_like_a_list(packed):
    assert len(packed) == 12
    np.testing.assert_array_equal(packed[-1].image, packed[11].image)
    with pytest.raises(IndexError, match=r"films\.h5: has 12 films, not a film 12"):
        packed[12]


def test_pickled_pack_carries_no_handle(packed):
    again = pickle.loads(pickle.dumps(packed))
    np.testing.assert_array_equal(again[0].image, packed[0].image)
    again.close()


def test_closed_pack_opens_again(packed):
    packed.close()
    assert packed[0].image.shape == (64, 72)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_two_workers_read_what_one_process_reads(packed, start):
    from torch.utils.data import DataLoader

    expected = [packed[index] for index in range(12)]  # opens the file before the workers start
    loader = DataLoader(packed, batch_size=3, num_workers=2, multiprocessing_context=start)
    batches = list(loader)
    images = np.concatenate([batch.image.numpy() for batch in batches])
    np.testing.assert_array_equal(images, [item.image for item in expected])
    assert [label for batch in batches for label in batch.label.tolist()] == [item.label for item in expected]
    assert packed[5].label == expected[5].label


def test_test_set_takes_over_the_numbers_of_the_training_set(packed, films):
    manifest = read_manifest(films.csv, where={"split": "val"})
    header = write_pack(manifest, films.folder / "test.h5", like=packed.header)
    assert header == packed.header
    with Pack(films.folder / "test.h5") as pack:
        assert pack[0].image.shape == (64, 72)


def test_class_of_no_training_film_is_refused(packed, films):
    films.rows[3]["label"] = "sars"
    manifest = read_manifest(write_rows(films.csv, films.rows))
    with pytest.raises(ManifestError, match=r"films\.csv: line 5: label sars is not a class of the other pack"):
        write_pack(manifest, films.folder / "test.h5", like=packed.header)


def test_rows_with_and_without_masks_are_not_mixed(films):
    films.rows[3]["mask"] = ""
    manifest = read_manifest(write_rows(films.csv, films.rows))
    with pytest.raises(ManifestError, match=r"line 5: has no mask, as 1 rows of 12; .* pack with --no-masks"):
        write_pack(manifest, films.folder / "films.h5")
    write_pack(manifest, films.folder / "films.h5", preparation=SMALL, masks=False)
    with Pack(films.folder / "films.h5") as pack:
        assert not pack.has_masks


def test_class_weights_are_1_on_average():
    weights = class_weights(np.array([0, 0, 0, 1, -1]), 3)
    assert weights == pytest.approx((4 / 6, 2.0, 1.0))
    assert np.mean([weights[label] for label in (0, 0, 0, 1)]) == pytest.approx(1)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_interrupted_pack_leaves_nothing(films, stop):
    def interrupt(done, total):
        if done == 5:
            raise stop

    with pytest.raises(stop):
        write_pack(read_manifest(films.csv), films.folder / "films.h5", preparation=SMALL, progress=interrupt)
    assert not list(films.folder.glob("*.h5")) + list(films.folder.glob(".*"))


def test_interrupted_pack_leaves_the_old_one(packed, films):
    (films.folder / "images" / "5.png").write_bytes(b"x")
    with pytest.raises(RadiographError, match=r"5\.png: the file is not in a known image format"):
        write_pack(read_manifest(films.csv), packed.path, preparation=SMALL)
    assert len(Pack(packed.path)) == 12


def test_pack_that_cannot_be_written_says_so(films):
    (films.folder / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"films\.h5: cannot be written"):
        write_pack(read_manifest(films.csv), films.folder / "file" / "films.h5", preparation=SMALL)


@pytest.mark.parametrize("kind", ["text", "hdf5", "missing", "newer"])
def test_other_file_is_no_pack(tmp_path, packed, kind):
    path = tmp_path / "other.h5"
    if kind == "text":
        path.write_text("x")
    if kind == "hdf5":
        h5py.File(path, "w").close()
    if kind == "newer":
        packed.close()
        path = packed.path
        with h5py.File(path, "a") as file:
            file.attrs["format"] = 2
    with pytest.raises(ManifestError, match=r"\.h5: is not a pack \(.*\); make one with `cxrnet data pack`"):
        Pack(path)


def test_missing_h5py_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"packs: h5py is not installed; pip install 'cxrnet\[train\]'"):
        Pack(tmp_path / "films.h5")
