from functools import partial

import numpy as np
import pytest

from cxrnet.screening.panel.panel import draw_panel


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"sc"})


def test_it_is_the_panel_of_a_chest_under_a_banner_with_ink(usual):
    _, finding, objects = usual
    capture = objects["panel.sc.dcm"]
    banner = capture.pixel_array[:72]
    assert (banner != np.median(banner, axis=(0, 1))).any(axis=2).sum() > 1000
    assert capture.BodyPartExamined == "CHEST"
    assert "Laterality" not in capture
    assert not capture.PatientOrientation  # several images have no direction
    panel = draw_panel(finding, title="CR PA, series 2, image 3")
    assert (capture.PhotometricInterpretation, capture.Columns) == ("RGB", 1600)
    np.testing.assert_array_equal(capture.pixel_array[-len(panel) :], panel)


def test_text_and_loss_in_the_xray_are_passed_on(made, study):
    given = {
        "BurnedInAnnotation": "YES",
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 10,
        "LossyImageCompressionMethod": "ISO_15444_1",
    }
    capture = made(study(**given))["panel.sc.dcm"]
    assert {keyword: capture[keyword].value for keyword in given} == given


def test_the_name_of_the_file_is_not_in_the_picture(made, usual, tmp_path):
    path, _, objects = usual
    named = tmp_path / "Doe_Jo_1970.dcm"
    named.write_bytes(path.read_bytes())
    np.testing.assert_array_equal(objects["panel.sc.dcm"].pixel_array, made(named)["panel.sc.dcm"].pixel_array)


@pytest.mark.parametrize(("given", "kept"), [("L", "L"), (None, "")])
def test_another_body_part_has_the_laterality_of_the_xray(made, study, given, kept):
    attributes = {"BodyPartExamined": "LUNG"} | ({} if given is None else {"Laterality": given})
    capture = made(study(**attributes))["panel.sc.dcm"]
    assert capture["Laterality"].value == kept
    assert "BodyPartExamined" not in capture
