from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from cxrnet.screening.panel.panel import draw_panel
from tests.node.objects.conftest import refused


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"sc"})


def test_it_is_the_panel_under_a_banner(pipeline, made, study):
    path = study()
    finding = pipeline.screen(path)
    capture = made(path, finding)["panel.sc.dcm"]
    panel = draw_panel(finding, title="CR PA, series 2, image 3")
    assert (capture.PhotometricInterpretation, capture.Columns) == ("RGB", 1600)
    np.testing.assert_array_equal(capture.pixel_array[-len(panel) :], panel)


def test_that_it_is_not_for_clinical_use_is_burnt_in(made, study, monkeypatch):
    path = study()
    with_claim = made(path)["panel.sc.dcm"].pixel_array
    monkeypatch.setattr("cxrnet.node.objects.secondary_capture.CLAIM", "")
    without = made(path)["panel.sc.dcm"].pixel_array
    changed = np.nonzero((with_claim != without).any(axis=(1, 2)))[0]
    assert 0 < changed.min() < changed.max() < 72
    assert (with_claim != without).any(axis=2).sum() > 1000  # pixels of ink


def test_the_name_of_the_file_is_not_in_the_picture(made, study, tmp_path):
    path = study()
    named = tmp_path / "Doe_Jo_1970.dcm"
    named.write_bytes(path.read_bytes())
    np.testing.assert_array_equal(made(path)["panel.sc.dcm"].pixel_array, made(named)["panel.sc.dcm"].pixel_array)


def test_a_chest_has_no_laterality_but_is_a_chest(made, study):
    capture = made(study())["panel.sc.dcm"]
    assert capture.BodyPartExamined == "CHEST"
    assert "Laterality" not in capture


@pytest.mark.parametrize(("given", "kept"), [("L", "L"), ("", ""), (None, "")])
def test_another_body_part_has_the_laterality_of_the_film(made, study, given, kept):
    attributes = {"BodyPartExamined": "LUNG"} | ({} if given is None else {"Laterality": given})
    capture = made(study(**attributes))["panel.sc.dcm"]
    assert capture["Laterality"].value == kept
    assert "BodyPartExamined" not in capture


def test_no_direction_is_given_to_a_picture_of_several_films(made, study):
    assert not made(study())["panel.sc.dcm"].PatientOrientation


@pytest.mark.parametrize("value", ["YES", "NO"])
def test_text_in_the_film_is_passed_on(made, study, value):
    assert made(study(BurnedInAnnotation=value))["panel.sc.dcm"].BurnedInAnnotation == value


def test_it_refers_to_the_film(made, study):
    assert made(study())["panel.sc.dcm"].SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5.6"


def test_a_lossy_film_makes_a_lossy_panel(made, study):
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 10,
        "LossyImageCompressionMethod": "ISO_15444_1",
    }
    capture = made(study(**lossy))["panel.sc.dcm"]
    assert (capture.LossyImageCompression, capture.LossyImageCompressionRatio) == ("01", 10)


def test_a_refused_film_has_a_panel_too(pipeline, made, study):
    path = study()
    assert made(path, refused(pipeline.screen(path)))["panel.sc.dcm"].Rows > 200
