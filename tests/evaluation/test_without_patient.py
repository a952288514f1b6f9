"""A bundle that takes patient data is evaluated with them and, from the same maps, with all of them missing."""

from dataclasses import replace

import numpy as np
import pytest

from cxrnet import Pipeline
from cxrnet.data.manifest import read_manifest
from cxrnet.evaluation.card_input import read_evaluation
from cxrnet.evaluation.cases import ClassifierCase, classify_sample
from cxrnet.evaluation.classifier import evaluate_classifier
from cxrnet.evaluation.evaluation import write_evaluation
from cxrnet.evaluation.request import Request
from cxrnet.evaluation.without_patient import hide_patient
from cxrnet.model.bundle import read_bundle
from cxrnet.model.calibration import Calibration, Conformal
from cxrnet.model.card import render_card
from cxrnet.model.facts import Facts
from tests.evaluation.material import write_images, write_rows

SETS = Conformal(level=0.9, thresholds={"covid": 0.4, "non-covid": 0.5})
FITTED = Calibration(temperature=1.7, bias=(0.2, -0.2), images=10, conformal=SETS)


@pytest.fixture(scope="module")
def patients(patient_bundle):
    """A pipeline whose model takes patient data, averages over the mirror image, and is calibrated."""
    bundle = read_bundle(patient_bundle)
    with Pipeline(replace(bundle, config=bundle.config.model_copy(update={"calibration": FITTED}))) as opened:
        yield opened


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Twelve images, one without an age, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("images")
    _, rows = write_images(folder)
    given = [{"Age": "" if number == 3 else 20 + 5 * number, "sex": "female"} for number in range(len(rows))]
    (folder / "image4.png").write_bytes(b"no image")
    return write_rows(folder, [row | values for row, values in zip(rows, given, strict=True)])


@pytest.fixture(scope="module")
def evaluation(patients, manifest):
    return evaluate_classifier(patients, Request(manifest=manifest, jobs=1, resamples=20, command="cxrnet"))


@pytest.mark.parametrize("is_calibrated", [True, False])
def test_scores_are_those_of_the_graph_with_missing_values(patients, manifest, is_calibrated):
    bundle = patients.bundle
    if not is_calibrated:
        bundle = replace(bundle, config=bundle.config.model_copy(update={"calibration": None}))
    samples = read_manifest(manifest).samples[:3]
    bare = [replace(sample, values={}) for sample in samples]
    hide = hide_patient(bundle)
    with Pipeline(bundle) as pipeline:
        found, expected = ([classify_sample(pipeline, sample) for sample in part] for part in (samples, bare))
    for (case, finding), (missing, _) in zip(found, expected, strict=True):
        hidden = hide(finding, case)
        assert np.abs(np.subtract(case.scores, missing.scores)).max() > 1e-3
        for got, right in ((hidden.scores, missing.scores), (hidden.folds, missing.folds)):
            assert np.asarray(got) == pytest.approx(np.asarray(right), abs=2e-5)
        assert hidden.spread == pytest.approx(missing.spread, abs=2e-5)
        assert hidden.conformal_set == missing.conformal_set
        assert hidden.patient == missing.patient == dict.fromkeys(("Age", "sex", "view"), "missing")


def test_refused_image_stays_as_it_is(patients, manifest):
    finding = patients.screen(manifest.parent / "image0.png").model_copy(
        update={"status": "refused", "heatmaps": None, "folds": {}}
    )
    case = ClassifierCase(sample=read_manifest(manifest).samples[0], status="refused")
    assert hide_patient(patients.bundle)(finding, case) is case


def test_record_has_both_of_the_same_images(evaluation):
    content = evaluation.record.content()
    assert content["patient"]["Age"] == {"csv": 10, "missing": 1, "failed": 1}
    both = content["overall"], content["without_patient"]["overall"]
    assert both[0]["n"] == both[1]["n"] == 11
    assert both[0]["brier"]["value"] != both[1]["brier"]["value"]
    assert content["without_patient"]["by"].keys() == content["by"].keys()


def test_report_and_card_show_both(patients, evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "report")
    report = (tmp_path / "report" / "report.html").read_text()
    assert "by the same model, with all patient data missing" in report
    found = read_evaluation(tmp_path / "report", name="others", role="own", bundle=patients.bundle)
    card = render_card(patients.bundle.config, Facts(evaluations=(found,)), patients.bundle.sha256)
    assert "by the same model with all of them missing" in card
    assert "| metric | with patient data | without |" in card
