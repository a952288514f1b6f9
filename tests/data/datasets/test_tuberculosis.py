import cv2
import pytest

from cxrnet.errors import ManifestError
from tests.material import draw_xray


def test_montgomery_lungs_are_joined(build, montgomery, tmp_path):
    built, rows = build("montgomery", montgomery)
    assert (cv2.imread(str(tmp_path / rows[0]["mask"]), 0) > 0).tolist() == draw_xray(1, height=80, width=90)[
        1
    ].tolist()
    assert built.left_out == {"the mask of a lung is missing": 1}


def test_montgomery_names_tell_class_and_patient(build, montgomery):
    _, rows = build("montgomery", montgomery)
    assert [(row["label"], row["patient_id"]) for row in rows] == [
        ("normal", "montgomery:MCUCXR_0001"),
        ("tuberculosis", "montgomery:MCUCXR_0104"),
    ]


def test_montgomery_reading_is_kept(build, montgomery):
    _, rows = build("montgomery", montgomery)
    assert (rows[0]["sex"], rows[0]["age"], rows[0]["finding"]) == ("F", "27", "normal")
    assert rows[1]["sex"] == ""


def test_montgomery_masks_go_where_they_are_asked_to(build, montgomery, tmp_path):
    _, rows = build("montgomery", montgomery, masks=tmp_path / "lungs")
    assert rows[0]["mask"] == "lungs/MCUCXR_0001_0_mask.png"
    assert rows[0]["image"] == "MontgomerySet/CXR_png/MCUCXR_0001_0.png"


def test_montgomery_without_masks_is_refused(build, shenzhen):
    with pytest.raises(ManifestError, match="has no folder ManualMask/leftMask; give the folder that the montgomery"):
        build("montgomery", shenzhen)


def test_shenzhen_mask_is_used_as_it_is(build, shenzhen):
    _, rows = build("shenzhen", shenzhen)
    assert [row["mask"] for row in rows] == ["ChinaSet_AllFiles/mask/CHNCXR_0001_0_mask.png", ""]


def test_shenzhen_says_what_it_left_out_and_what_has_no_mask(build, shenzhen):
    built, _ = build("shenzhen", shenzhen)
    assert built.left_out == {"not an image by its name": 1}
    assert built.notes == ("1 images have no mask; they are kept",)


def test_shenzhen_reading_is_kept(build, shenzhen):
    _, rows = build("shenzhen", shenzhen)
    assert (rows[1]["sex"], rows[1]["age"], rows[1]["finding"]) == ("M", "45", "bilateral PTB")


def test_xray_of_another_name_is_left_out(build, shenzhen):
    (shenzhen / "CXR_png" / "CHNCXR_0327_1.png").rename(shenzhen / "CXR_png" / "other.png")
    assert build("shenzhen", shenzhen)[0].left_out["a name that tells neither patient nor class"] == 1


def test_damaged_mask_leaves_its_xray_out(build, montgomery):
    (montgomery / "ManualMask" / "leftMask" / "MCUCXR_0001_0.png").write_bytes(b"x")
    built, rows = build("montgomery", montgomery)
    assert built.left_out["an image or mask is UNREADABLE"] == 1
    assert len(rows) == 1
