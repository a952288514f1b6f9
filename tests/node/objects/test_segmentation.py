from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pydicom
import pytest

from cxrnet.node.objects import write_objects
from cxrnet.node.objects.segmentation import LEVELS
from cxrnet.screening.outputs import lungs_png
from cxrnet.screening.segmentation import Anatomy
from tests.material import CLASSES
from tests.node.objects.conftest import refused


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"seg"})


def mask_of(dataset):
    return np.squeeze(dataset.pixel_array)


def picture(finding):
    return cv2.imdecode(np.frombuffer(lungs_png(finding.lung_probability, finding.radiograph), np.uint8), 0)


def test_the_lungs_are_those_of_the_picture(usual):
    _, finding, objects = usual
    lungs = objects["lungs.seg.dcm"]
    assert lungs.PatientOrientation == ["L", "F"]
    assert lungs.SegmentationType == "BINARY"
    np.testing.assert_array_equal(mask_of(lungs) * 255, picture(finding))


def test_the_heat_map_is_that_of_the_first_class_at_the_size_of_the_xray(usual):
    _, finding, objects = usual
    heat = objects["heatmap.seg.dcm"]
    wanted = np.nan_to_num(finding.heatmaps.maps(130, 150)["covid"], nan=0)
    assert [each.SegmentLabel for each in heat.SegmentSequence] == ["Heat map of covid"]
    np.testing.assert_allclose(mask_of(heat) / LEVELS, wanted, atol=0.5 / LEVELS + 1e-6)
    assert mask_of(heat).max() == LEVELS == heat.MaximumFractionalValue


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_of_a_xray_that_was_turned_both_lie_where_the_file_has_them(made, turned, degrees):
    path, finding = turned(degrees)
    objects = made(path, finding)
    lungs, heat = objects["lungs.seg.dcm"], objects["heatmap.seg.dcm"]
    wanted = np.nan_to_num(finding.heatmaps.maps(130, 150)["covid"], nan=0)
    np.testing.assert_allclose(mask_of(heat) / LEVELS, np.rot90(wanted, degrees // 90), atol=0.5 / LEVELS + 1e-6)
    assert (lungs.Rows, lungs.Columns) == ((150, 130) if degrees % 180 else (130, 150))
    np.testing.assert_array_equal(mask_of(lungs) * 255, np.rot90(picture(finding), degrees // 90))


def test_of_more_than_two_classes_each_has_a_heat_map(made, usual):
    path, finding, _ = usual
    maps = finding.heatmaps
    third = replace(
        maps,
        classes=("a", "b", "c"),
        class_maps=np.concatenate([maps.class_maps, maps.class_maps[:1] * 2]),
        logits=np.append(maps.logits, np.float32(0)),
    )
    scores = {"a": 0.2, "b": 0.3, "c": 0.5}
    folds = {name: (score,) for name, score in scores.items()}
    changes = {"heatmaps": third, "scores": scores, "folds": folds, "interval": {}, "uncertainty_reason": None}
    heat = made(path, finding.model_copy(update=changes))["heatmap.seg.dcm"]
    assert [each.SegmentLabel for each in heat.SegmentSequence] == [f"Heat map of {name}" for name in "abc"]
    wanted = third.maps(130, 150)
    for number, name in enumerate("abc"):
        values = heat.pixel_array[number] / LEVELS
        np.testing.assert_allclose(values, np.nan_to_num(wanted[name], nan=0), atol=0.5 / LEVELS + 1e-6)


def test_an_orientation_that_is_not_known_stays_empty(made, study):
    assert not made(study(PatientOrientation=""))["lungs.seg.dcm"].PatientOrientation


def test_a_segment_names_the_model_and_its_checksum(pipeline, usual):
    segment = usual[2]["lungs.seg.dcm"].SegmentSequence[0]
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("cxrnet small", "0.1")
    assert pipeline.bundle.sha256 in algorithm.AlgorithmParameters


def test_of_more_classes_each_is_a_segment_with_its_code(usual, tmp_path):
    path, finding, _ = usual
    chance = np.random.default_rng(0).random((5, 64, 72), np.float32)
    anatomy = Anatomy(classes=(*CLASSES, "left clavicle"), probability=cv2.blur(chance.T, (9, 9)).T.copy())
    written = write_objects(finding.model_copy(update={"anatomy": anatomy}), path, {"seg"}, tmp_path).paths
    dataset = pydicom.dcmread(written[0])
    types = [each.SegmentedPropertyTypeCodeSequence[0] for each in dataset.SegmentSequence]
    assert [(each.CodeValue, each.CodingSchemeDesignator) for each in types] == [
        ("3341006", "SCT"),
        ("44029006", "SCT"),
        ("80891009", "SCT"),
        ("ORGAN-left clavi", "99CXRNET"),
    ]
    assert [each.SegmentLabel for each in dataset.SegmentSequence] == [
        "Right lung",
        "Left lung",
        "Heart",
        "Left clavicle",
    ]
    labels = anatomy.labels(130, 150)
    for number in range(1, 5):
        np.testing.assert_array_equal(dataset.pixel_array[number - 1], labels == number)
    assert len({tuple(each.RecommendedDisplayCIELabValue) for each in dataset.SegmentSequence}) == 4


def test_lungs_of_a_refused_xray_say_so(refusal):
    lungs = refusal["lungs.seg.dcm"]
    assert lungs.SegmentSequence[0].SegmentLabel == "Lungs, image refused"


def test_a_xray_without_lungs_has_an_empty_mask(made, usual):
    path, finding = usual[0], refused(usual[1])
    nothing = finding.model_copy(update={"lung_probability": np.zeros_like(finding.lung_probability)})
    objects = made(path, nothing, kinds={"seg", "gsps"})
    assert mask_of(objects["lungs.seg.dcm"]).sum() == 0
    assert len(objects["contours.gsps.dcm"].GraphicLayerSequence) == 1  # the notice
