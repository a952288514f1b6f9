from functools import partial

import cv2
import numpy as np
import pytest

from cxrnet.node.objects.presentation import layer_name
from cxrnet.screening.segmentation import lungs_at


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"gsps"})


def lines(state):
    for annotation in state.GraphicAnnotationSequence:
        for graphic in annotation.get("GraphicObjectSequence", []):
            yield annotation.GraphicLayer, graphic, np.reshape(graphic.GraphicData, (-1, 2))


def filled(state, shape):
    """Return what the lines of a state surround, bool [height, width]."""
    drawn = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(drawn, [np.rint(points - 0.5).astype(np.int32) for _, _, points in lines(state)], 1)
    return drawn.astype(bool)


def texts(state):
    for annotation in state.GraphicAnnotationSequence:
        for text in annotation.get("TextObjectSequence", []):
            yield text.UnformattedTextValue


def test_the_lines_surround_the_lungs(usual):
    _, finding, objects = usual
    state = objects["contours.gsps.dcm"]
    assert "not for clinical use" in "".join(texts(state))
    corner = state.DisplayedAreaSelectionSequence[0].DisplayedAreaBottomRightHandCorner
    assert corner == [150, 130]
    lungs = lungs_at(finding.lung_probability, 130, 150)
    assert (filled(state, (130, 150)) != lungs).mean() < 0.02
    for _, graphic, points in lines(state):
        assert (graphic.GraphicType, graphic.GraphicAnnotationUnits) == ("POLYLINE", "PIXEL")
        assert graphic.NumberOfGraphicPoints == len(points)


@pytest.mark.parametrize("degrees", [90, 270])
def test_of_a_xray_that_was_turned_the_lines_lie_where_the_file_has_the_lungs(made, turned, degrees):
    path, finding = turned(degrees)
    lungs = np.rot90(lungs_at(finding.lung_probability, 130, 150), degrees // 90)
    assert (filled(made(path, finding)["contours.gsps.dcm"], lungs.shape) != lungs).mean() < 0.02


def test_the_lung_on_the_left_of_a_xray_that_hangs_as_usual_is_the_right_one(usual):
    state = usual[2]["contours.gsps.dcm"]
    columns = {name: points[:, 0].mean() for name, _, points in lines(state)}
    assert columns["RIGHT_LUNG"] < 75 < columns["LEFT_LUNG"]


@pytest.mark.parametrize(
    ("side", "orientation", "name"),
    [
        ("left", ("L", "F"), "RIGHT_LUNG"),
        ("right", ("L", "F"), "LEFT_LUNG"),
        ("left", ("R", "F"), "LEFT_LUNG"),
        ("right", ("R", "H"), "RIGHT_LUNG"),
        ("left", ("P", "F"), "IMAGE_LEFT"),
        ("right", (), "IMAGE_RIGHT"),
        ("both", ("L", "F"), "LUNGS"),
    ],
)
def test_a_lung_has_a_side_of_the_patient_only_where_the_file_says_so(side, orientation, name):
    assert layer_name(side, orientation) == name


def test_of_a_refused_xray_no_side_is_called(refusal):
    state = refusal["contours.gsps.dcm"]
    assert {name for name, _, _ in lines(state)} == {"IMAGE_LEFT", "IMAGE_RIGHT"}
    assert "No score: LATERAL." in "".join(texts(state))


@pytest.mark.parametrize(("photometric", "shape"), [("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")])
def test_the_xray_keeps_its_polarity(made, study, photometric, shape):
    path = study(PhotometricInterpretation=photometric)
    assert made(path)["contours.gsps.dcm"].PresentationLUTShape == shape
