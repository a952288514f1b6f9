import pytest

from cxrnet.errors import ManifestError
from tests.data.conftest import write_mask, write_xray


def test_folder_is_the_class(build, tmp_path):
    for name in ("COVID", "Normal"):
        write_xray(tmp_path / "set" / name / "1.png")
    built, rows = build("folders", tmp_path / "set")
    assert [(row["image"], row["label"], row["source"]) for row in rows] == [
        ("set/COVID/1.png", "COVID", "set"),
        ("set/Normal/1.png", "Normal", "set"),
    ]
    assert "folders tell no patients" in built.notes[0]


def test_folders_of_splits_are_splits(build, tmp_path):
    write_xray(tmp_path / "set" / "train" / "NORMAL" / "1.png")
    write_xray(tmp_path / "set" / "validation" / "NORMAL" / "1.png")
    rows = build("folders", tmp_path / "set")[1]
    assert [(row["split"], row["label"]) for row in rows] == [("train", "NORMAL"), ("val", "NORMAL")]


@pytest.mark.parametrize("masks", ["masks", "lung masks"])
def test_masks_next_to_images_are_their_masks(build, tmp_path, masks):
    lungs = write_xray(tmp_path / "set" / "COVID" / "images" / "1.png")
    write_xray(tmp_path / "set" / "COVID" / "images" / "2.png")
    write_mask(tmp_path / "set" / "COVID" / masks / "1.png", lungs)
    rows = build("folders", tmp_path / "set")[1]
    assert [row["mask"] for row in rows] == [f"set/COVID/{masks}/1.png", ""]


def test_copies_of_the_same_name_are_distinguished(build, tmp_path):
    for name in ("COVID", "Normal"):
        write_xray(tmp_path / "set" / name / "1.png")
    rows = build("folders", tmp_path / "set", prepare=tmp_path / "small")[1]
    assert [row["image"] for row in rows] == ["small/1-00000.png", "small/1-00001.png"]


def test_folder_without_classes_is_refused(build, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(ManifestError, match="holds no folder of images; give a folder with one folder a class"):
        build("folders", tmp_path / "set")
