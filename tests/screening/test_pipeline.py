import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from cxrnet import Pipeline, Radiograph, RadiographError
from cxrnet.errors import BundleError, UsageError
from cxrnet.model import registry
from cxrnet.model.gate_runtime import CONTENTS, GatePrediction
from tests.material import draw_xray


def test_pipeline_scores_a_image(pipeline, chest):
    finding = pipeline.screen(chest)
    assert finding.status == "scored"
    assert sum(finding.scores.values()) == pytest.approx(1)


class _OnlyRead:
    def __init__(self, content):
        self.read = io.BytesIO(content).read


class _BytesPath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return bytes(self.path)


class _FailingRead:
    def read(self):
        raise KeyError("two\nlines")


def test_pipeline_takes_a_pydicom_data_set(pipeline):
    path = get_testdata_file("CT_small.dcm")
    dataset = dcmread(path)
    np.testing.assert_array_equal(pipeline.read(dataset).pixels, pipeline.read(path).pixels)
    with pytest.raises(RadiographError, match="encoding the data set"):
        pipeline.read(Dataset())


@pytest.mark.parametrize("name", [3, Path("folder/xray.png"), b"xray"])
def test_pipeline_takes_any_name_as_text(pipeline, chest, name):
    assert pipeline.screen(chest, name=name).input == pipeline.read(chest, name=name).name == str(name)


def test_pipeline_takes_arrays_bytes_and_open_files(pipeline, chest):
    expected = pipeline.segment(chest).probability
    with chest.open("rb") as file:
        readable, paths = _OnlyRead(chest.read_bytes()), (_BytesPath(chest), np.str_(chest))
        for source in (chest.read_bytes(), io.BytesIO(chest.read_bytes()), file, Image.open(chest), readable, *paths):
            np.testing.assert_array_equal(pipeline.segment(source).probability, expected)


@pytest.mark.parametrize(
    "source", [None, 3, object(), io.StringIO("x"), b"", ["a"], {"a": 1}, _FailingRead(), io.BytesIO]
)
def test_pipeline_refuses_what_is_no_radiograph_in_one_line(pipeline, source):
    with pytest.raises(RadiographError):
        pipeline.read(source)


def test_pipeline_finds_the_lungs(pipeline, chest):
    found = pipeline.segment(chest).probability > 0.5
    lungs = draw_xray(3)[1]
    assert 2 * (found & lungs).sum() / (found.sum() + lungs.sum()) > 0.8


def test_pipeline_takes_an_array(pipeline):
    radiograph = Radiograph.from_array(draw_xray(3, height=130, width=150)[0])
    assert pipeline.screen(radiograph).input == "array"


def test_pipeline_gives_the_same_finding_for_a_file_and_its_array(pipeline, chest):
    radiograph = Radiograph.from_array(draw_xray(3, height=130, width=150)[0])
    assert pipeline.screen(radiograph).scores == pipeline.screen(chest).scores


def test_pipeline_scores_monochrome1_like_its_twin(pipeline, dicom):
    upright = draw_xray(3, height=130, width=150)[0]
    twin = dicom("inverted.dcm", PhotometricInterpretation="MONOCHROME1", PixelData=(255 - upright).tobytes())
    assert pipeline.screen(twin).scores == pipeline.screen(dicom()).scores


def test_pipeline_shows_no_score_of_a_refused_image(pipeline, dicom):
    finding = pipeline.screen(dicom(BodyPartExamined="HAND"))
    assert finding.status == "refused"
    assert not finding.scores
    assert not finding.folds
    assert finding.heatmaps is None


def test_pipeline_raises_for_a_file_that_is_not_there(pipeline, tmp_path):
    with pytest.raises(RadiographError, match=r"nix.dcm: no such file") as caught:
        pipeline.screen(tmp_path / "nix.dcm")
    assert caught.value.code == "NOT_FOUND"


def test_pipeline_is_safe_in_several_threads(small_bundle, chest):
    with Pipeline.load(small_bundle, threads=1) as pipeline, ThreadPoolExecutor(3) as pool:
        scores = list(pool.map(lambda _: pipeline.screen(chest).scores["covid"], range(6)))
    assert len(set(scores)) == 1


def test_pipeline_is_not_used_after_it_was_closed(small_bundle, chest):
    with Pipeline.load(small_bundle) as pipeline:
        radiograph = pipeline.read(chest)
    for source in (chest, radiograph):
        with pytest.raises(UsageError, match="closed"):
            pipeline.screen(source)


def test_finding_and_messages_use_the_given_name(pipeline, chest, tmp_path):
    finding = pipeline.screen(chest, name="job 7")
    assert (finding.input, finding.radiograph.name) == ("job 7", "job 7")
    with pytest.raises(RadiographError, match=r"^job 8: "):
        pipeline.screen(tmp_path / "missing.dcm", name="job 8")


def test_load_names_the_known_bundles_when_there_is_no_such_bundle(monkeypatch, tmp_path):
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path))
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "models")
    with pytest.raises(BundleError, match=r"nix: no bundle of this name in .*known names: no bundle yet"):
        Pipeline.load("nix")


def test_lung_area_is_in_square_centimetres_where_spacing_is_known(pipeline, dicom):
    segmentation = pipeline.segment(dicom(PixelSpacing=[2.0, 1.0]))
    assert segmentation.area_cm2 == pytest.approx(segmentation.area_fraction * 130 * 150 * 2 / 100)


def test_lung_area_is_unknown_without_spacing(pipeline, chest):
    assert pipeline.segment(chest).area_cm2 is None


def test_finding_record_has_what_the_contract_names(pipeline, chest):
    record = json.loads(pipeline.screen(chest).to_json())
    contract = "schema input status reasons scores calibrated folds spread lung_area_fraction model timing_ms"
    assert set(contract.split()) <= set(record)
    assert record["schema"] == "cxrnet.finding/2"
    assert set(record["model"]) == {"name", "version", "sha256"}


def test_finding_spread_is_the_standard_deviation_of_the_folds(pipeline, chest):
    finding = pipeline.screen(chest)
    assert finding.spread == pytest.approx(np.std(finding.folds["covid"]), abs=1e-6)


def test_finding_record_of_a_refused_image_has_no_score(pipeline, dicom):
    record = pipeline.screen(dicom(Modality="CT")).record()
    assert record["scores"] is None
    assert record["folds"] is None
    assert record["reasons"][0]["code"] == "NOT_CHEST"


def test_finding_tells_how_the_file_was_read(pipeline, dicom):
    history = pipeline.screen(dicom(PhotometricInterpretation="MONOCHROME1")).record()["radiograph"]["history"]
    assert "inverted once for MONOCHROME1 (0028,0004)" in history


@pytest.mark.shared
@pytest.mark.slow
def test_whole_way_of_the_published_sample_is_0_9387(published_bundle, golden):
    image = golden("hfhs_002130-004-1")["input_uint8"]
    with Pipeline.load(published_bundle) as pipeline:
        stages = pipeline._runtime.screen(image)
    assert stages.scores[0] == pytest.approx(0.93870723, abs=1e-4)


@pytest.mark.shared
@pytest.mark.slow
def test_lossless_transfer_syntaxes_of_rg1_give_equal_findings(published_bundle):
    from importlib.metadata import files

    images = {file.name: file.locate() for file in files("pydicom-data") if file.name.startswith("RG1_")}
    with Pipeline.load(published_bundle) as pipeline:
        plain, compressed = (pipeline.screen(images[name]) for name in ("RG1_UNCR.dcm", "RG1_J2KR.dcm"))
        lossy = pipeline.screen(images["RG1_J2KI.dcm"])
    assert plain.scores == compressed.scores
    assert plain.folds == compressed.folds
    assert lossy.scores["covid"] == pytest.approx(plain.scores["covid"], abs=0.01)


class Gate:
    """A gate's network that gives these answers in turn."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def predict(self, _):
        return self._answers.pop(0)


def seen(**changes):
    limits = {"least_frontal": 0.3, "doubted_frontal": 0.8, "unlike": 5.0}
    contents = dict.fromkeys(CONTENTS, 0.0) | {"frontal": 1.0}
    usual = {"contents": contents, "turn": 0, "turned": 0.0, "inverted": 0.0, "distance": 1.0, "limits": limits}
    return GatePrediction(**usual | changes)


@pytest.fixture
def gated(small_bundle):
    """Function that opens a pipeline whose gate sees what it is given."""
    with ExitStack() as stack:

        def open_with(*answers):
            pipeline = stack.enter_context(Pipeline.load(small_bundle))
            pipeline._view = Gate(*answers)
            return pipeline

        yield open_with


def test_inverted_image_is_refused_without_a_score(gated, chest):
    finding = gated(seen(inverted=0.99)).screen(chest)
    assert finding.status == "refused"
    assert [reason.code for reason in finding.reasons] == ["INVERTED"]
    assert not finding.scores
    assert finding.heatmaps is None


def test_corrected_image_has_the_scores_of_the_upright_one(gated, chest):
    right = gated(seen()).screen(chest)
    wrong = Radiograph.from_array(np.rot90(255 - right.radiograph.pixels))
    finding = gated(seen(inverted=0.99, turned=0.99, turn=90), seen()).screen(wrong, auto_correct=True)
    assert finding.status == "scored"
    assert finding.corrections == ("corrected: polarity inverted", "corrected: rotated clockwise by 90 degrees")
    assert finding.record()["corrections"] == list(finding.corrections)
    assert finding.radiograph.history[-2:] == finding.corrections
    assert finding.scores["covid"] == pytest.approx(right.scores["covid"], abs=1e-3)


def test_image_that_is_still_wrong_when_corrected_is_refused(gated, chest):
    finding = gated(seen(inverted=0.99), seen(inverted=0.99)).screen(chest, auto_correct=True)
    assert finding.status == "refused"


def test_warning_of_the_gate_goes_with_the_score(gated, chest):
    finding = gated(seen(distance=9.0)).screen(chest)
    assert finding.status == "scored"
    assert finding.record()["reasons"][0]["code"] == "UNLIKE_TRAINING"
    assert finding.scores


def test_inspection_tells_what_the_gate_says_and_scores_nothing(gated, chest):
    radiograph, result, lungs = gated(seen(turned=0.99, turn=180)).inspect(chest)
    assert [reason.code for reason in result.refusals] == ["ROTATED"]
    assert lungs.radiograph is radiograph


@pytest.mark.parametrize("patient", [[1], "age", 1])
def test_patient_data_that_are_no_mapping_are_refused_in_one_line(pipeline, chest, patient):
    with pytest.raises(UsageError, match=r"^patient: is .*; give a mapping"):
        pipeline.screen(chest, patient=patient)


def test_a_pipeline_of_what_is_no_bundle_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"^bundle: is NoneType, not a Bundle; Pipeline\.load"):
        Pipeline(None)
