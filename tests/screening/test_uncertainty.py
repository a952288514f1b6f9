"""The interval over the folds, against SciPy and by hand."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet import Pipeline
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.model.config import Calibration
from cxrnet.model.runtime import ModelOutput
from cxrnet.screening.batch import finding_columns, finding_row
from cxrnet.screening.inputs import Input
from cxrnet.screening.outputs import panel_content
from cxrnet.screening.uncertainty import doubt, interval_of, log_odds, student_quantile

TWO = ("covid", "non-covid")
AT_02 = Calibration(temperature=2.0, bias=(0.5, -0.5), films=9, operating_points={"balanced": 0.2})


def output(logits):
    """What a graph would say of folds with these logits, [fold, class]."""
    folds = np.asarray(logits, np.float32)
    powers = np.exp(folds.mean(axis=0))
    return ModelOutput(
        lung_probability=np.zeros((2, 2), np.float32),
        lung_mask=np.zeros((2, 2), np.float32),
        fold_maps=np.broadcast_to(folds[..., None, None], (*folds.shape, 3, 4)),
        fold_scores=folds,
        class_maps=np.zeros((folds.shape[1], 3, 4), np.float32),
        logits=folds.mean(axis=0),
        scores=powers / powers.sum(),
    )


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 63])
def test_quantile_is_that_of_scipy(degrees):
    scipy = pytest.importorskip("scipy.stats")
    assert student_quantile(degrees) == pytest.approx(scipy.t.ppf(0.975, degrees), rel=1e-9)


def test_interval_is_that_of_scipy_on_the_log_odds():
    scipy = pytest.importorskip("scipy.stats")
    differences = np.array([0.4, -0.2, 1.1, 0.3, 0.9, 0.0])
    low, high = scipy.t.interval(0.95, 5, differences.mean(), scipy.sem(differences))
    got = interval_of(output(np.stack([differences, np.zeros(6)], axis=1)), None)
    np.testing.assert_allclose(got[0], 1 / (1 + np.exp([-low, -high])), rtol=1e-6)


def test_intervals_of_two_classes_mirror_each_other():
    first, second = interval_of(output([[1, 0], [2, 0.5], [0, 1]]), AT_02)
    assert first.tolist() == pytest.approx((1 - second[::-1]).tolist())


def test_interval_goes_through_the_calibration():
    logits = np.array([[1.0, 0.0], [3.0, 0.0]])
    plain, calibrated = interval_of(output(logits / 2 + [0.5, -0.5]), None), interval_of(output(logits), AT_02)
    np.testing.assert_allclose(plain, calibrated, rtol=1e-5)


def test_single_fold_has_no_interval():
    assert interval_of(output([[1, 0]]), None) is None
    assert doubt(output([[1, 0]]), None, TWO, None) is None


def test_folds_that_agree_leave_no_width():
    low, high = interval_of(output([[1, 0]] * 6), None)[0]
    assert low == pytest.approx(high) == pytest.approx(1 / (1 + np.exp(-1)))


@given(st.lists(st.tuples(*[st.floats(-40, 40)] * 3), min_size=2, max_size=6))
def test_interval_holds_the_score_and_stays_in_0_to_1(logits):
    found = output(logits)
    ends = interval_of(found, None)
    assert ((ends >= 0) & (ends <= 1)).all()
    assert (ends[:, 0] <= found.scores + 1e-5).all()
    assert (ends[:, 1] >= found.scores - 1e-5).all()


def test_log_odds_do_not_overflow():
    np.testing.assert_allclose(log_odds(np.array([800.0, 0.0, -800.0])), [800, -800, -1600])


def ask(logits, calibration=None, classes=TWO):
    found = output(logits)
    return doubt(found, calibration, classes, interval_of(found, calibration))


def test_score_far_from_the_middle_is_not_uncertain():
    assert ask([[3, 0], [3.2, 0], [2.9, 0]]) is None


def test_score_near_the_middle_is_uncertain_where_folds_disagree():
    assert ask([[-1, 0], [1, 0], [0.4, 0]]) == (
        "the folds leave covid between 0.08 and 0.94, with the middle 0.50 in between"
    )


def test_score_near_the_middle_is_not_uncertain_where_folds_agree():
    assert ask([[0.1, 0], [0.11, 0], [0.1, 0]]) is None


def test_balanced_operating_point_takes_the_place_of_the_middle():
    near_02 = 2 * (np.log(0.2 / 0.8) - 1)
    said = ask([[near_02 - 0.2, 0], [near_02 + 0.2, 0], [near_02, 0]], AT_02)
    assert said.endswith("with the balanced operating point 0.20 in between")
    assert ask([[-1.8, 0], [-2.2, 0], [-2.0, 0]], AT_02) is None


def test_more_classes_are_uncertain_where_the_two_highest_cannot_be_told_apart():
    classes = ("normal", "covid", "tuberculosis")
    assert ask([[1, 0, -4], [0, 1, -4], [0.6, 0, -4]], None, classes) == (
        "the folds leave open whether normal or covid scores higher"
    )
    assert ask([[4, 0, -4], [4.2, 0.1, -4], [4.1, 0, -4]], None, classes) is None


def test_finding_tells_interval_and_doubt(pipeline, chest):
    finding = pipeline.screen(chest)
    record = json.loads(finding.to_json())
    low, high = record["interval"]["covid"]
    assert low <= record["scores"]["covid"] <= high
    assert record["uncertain"] is (low <= 0.5 <= high)
    assert (record["doubt"] is not None) is record["uncertain"]


def test_finding_of_a_refused_film_has_no_interval(pipeline, dicom):
    record = pipeline.screen(dicom(Modality="CT")).record()
    assert (record["interval"], record["uncertain"], record["doubt"]) == (None, None, None)


@pytest.fixture
def uncertain(small_bundle, chest):
    """The finding of a bundle whose operating point is the score that it gives."""
    bundle = read_bundle(small_bundle)
    plain = Calibration(temperature=1.0, bias=(0.0, 0.0), films=9)
    with Pipeline(Bundle(folder=bundle.folder, config=bundle.config, sha256=bundle.sha256)) as pipeline:
        point = pipeline.screen(chest).scores["covid"]
    known = plain.model_copy(update={"operating_points": {"balanced": point}})
    config = bundle.config.model_copy(update={"calibration": known})
    with Pipeline(Bundle(folder=bundle.folder, config=config, sha256=bundle.sha256)) as pipeline:
        return pipeline.screen(chest)


def test_score_at_the_operating_point_is_uncertain(uncertain):
    assert uncertain.is_uncertain
    assert "the balanced operating point" in uncertain.doubt


def test_row_has_the_ends_of_the_interval(uncertain, chest):
    row = finding_row(uncertain, Input(path=chest, folder="chest"))
    assert set(row) <= set(finding_columns(TWO))
    assert float(row["low_covid"]) <= float(row["score_covid"]) <= float(row["high_covid"])
    assert row["uncertain"] == "true"


def test_panel_gets_interval_and_doubt(uncertain):
    content = panel_content(uncertain)
    assert content.interval == uncertain.interval
    assert content.doubt == uncertain.doubt


def test_screen_says_uncertain(uncertain, small_bundle, tmp_path, chest):
    from cxrnet.screening.batch import screen_archive

    bundle = read_bundle(small_bundle)
    point = {"balanced": uncertain.scores["covid"]}
    known = Calibration(temperature=1.0, bias=(0.0, 0.0), films=9, operating_points=point)
    told = dataclasses.replace(bundle, config=bundle.config.model_copy(update={"calibration": known}))
    with Pipeline(told) as pipeline:
        list(screen_archive(pipeline, [Input(path=chest, folder="chest")], tmp_path / "out", save=["png"], jobs=1))
    (row,) = csv.DictReader((tmp_path / "out" / "findings.csv").read_text().splitlines())
    assert row["uncertain"] == "true"
