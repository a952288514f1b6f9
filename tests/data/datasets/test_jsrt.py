import cv2
import numpy as np
import pytest
from PIL import Image

from cxrnet.errors import ManifestError, UsageError


def test_xrays_are_found_with_class_and_patient(build, jsrt):
    built, rows = build("jsrt", jsrt)
    assert [(row["label"], row["patient_id"], row["view"]) for row in rows] == [
        ("nodule", "jsrt:JPCLN001", "PA"),
        ("no-nodule", "jsrt:JPCNN002", "PA"),
    ]
    assert built.left_out == {"not 8388608 bytes long": 1}
    assert built.masks == 1


def test_raw_xray_is_inverted_and_keeps_16_bits(build, jsrt, tmp_path):
    _, rows = build("jsrt", jsrt)
    written = cv2.imread(str(tmp_path / rows[0]["image"]), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert written[5, [0, 1, 2047]].tolist() == [4095, 4093, 1]


def test_lungs_are_joined_at_the_size_of_the_xray(build, jsrt, tmp_path):
    _, rows = build("jsrt", jsrt)
    mask = cv2.imread(str(tmp_path / rows[0]["mask"]), 0)
    assert mask.shape == (2048, 2048)
    assert mask[1000, [300, 1000, 1500]].tolist() == [255, 0, 255]
    assert (mask > 0).sum() == 2 * 1200 * 600


def test_prepared_copies_are_small_and_of_one_size(build, jsrt, tmp_path):
    _, rows = build("jsrt", jsrt, prepare=tmp_path / "small")
    assert rows[0]["image"] == "small/JPCLN001.png"
    for column in ("image", "mask"):
        assert cv2.imread(str(tmp_path / rows[0][column]), 0).shape == (300, 340)


def test_organs_become_a_label_map_with_the_right_lung_on_the_left(build, jsrt, tmp_path):
    for path in jsrt.rglob("left lung/*.gif"):
        heart = np.zeros_like(read(path))
        heart[600:800, 100:500] = 255  # also over the lung on the left
        (path.parents[1] / "heart").mkdir()
        Image.fromarray(heart).save(path.parents[1] / "heart" / path.name)
    built, rows = build("jsrt", jsrt, label_maps=True)
    labels = cv2.imread(str(tmp_path / rows[0]["mask"]), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (2048, 2048)
    assert labels[1000, [300, 1000, 1500]].tolist() == [1, 0, 2]
    assert labels[1300, [300, 800, 1500]].tolist() == [3, 3, 2]
    assert (built.masks, built.left_out["without the masks of right lung, left lung, heart"]) == (1, 1)


def test_label_maps_of_a_layout_without_organs_are_refused(build, shenzhen):
    with pytest.raises(UsageError, match="shenzhen has no masks of organs; jsrt has"):
        build("shenzhen", shenzhen, label_maps=True)


def read(path):
    with Image.open(path) as image:
        return np.array(image.convert("L"))


def test_xray_with_the_mask_of_one_lung_is_left_out(build, jsrt):
    next(jsrt.rglob("right lung/*.gif")).unlink()
    built, rows = build("jsrt", jsrt)
    assert built.left_out["the mask of one lung only"] == 1
    assert len(rows) == 1


def test_folder_without_raw_xrays_is_refused(build, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"holds no \.IMG file; give the folder of the JSRT images"):
        build("jsrt", tmp_path / "empty")
