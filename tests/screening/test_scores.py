"""Scores and their interval over the folds, against SciPy and by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet import Pipeline
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.model.calibration import Calibration
from cxrnet.model.config import AlignmentConfig, ClassifierConfig, PoolingConfig
from cxrnet.model.runtime import ModelOutput
from cxrnet.screening.csv_output import finding_columns, finding_row
from cxrnet.screening.inputs import Input
from cxrnet.screening.scores import half_width, log_odds, score

TWO = ("covid", "non-covid")
THREE = ("normal", "covid", "tuberculosis")
PLAIN = Calibration(temperature=1.0, bias=(0.0, 0.0), images=1)
AT_02 = Calibration(temperature=2.0, bias=(0.5, -0.5), images=9, operating_points={"balanced": 0.2})


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


@pytest.mark.parametrize("option", [{"alignment": AlignmentConfig()}, {"pooling": PoolingConfig(average="lungs")}])
@pytest.mark.parametrize("calibration", [None, AT_02])
def test_folds_score_alike_where_the_means_of_maps_are_not_their_logits(option, calibration):
    said = output([[1.0, -1.0], [0.25, 0.5]])
    powers = np.exp(said.fold_maps[..., 0, 0])
    other = said._replace(fold_maps=said.fold_maps * 3, fold_scores=powers / powers.sum(axis=1, keepdims=True))
    expected = score(said._replace(fold_scores=other.fold_scores), calibration, ClassifierConfig(classes=TWO))
    found = score(other, calibration, ClassifierConfig(classes=TWO, **option))
    np.testing.assert_allclose(found.folds, expected.folds, rtol=1e-6)
    np.testing.assert_allclose(found.interval, expected.interval, rtol=1e-6)


def interval(logits, calibration=None):
    return score(output(logits), calibration, ClassifierConfig(classes=TWO)).interval


def reason(logits, calibration=None, classes=TWO):
    return score(output(logits), calibration, ClassifierConfig(classes=classes)).uncertainty_reason


@given(st.floats(-50, 50), st.floats(0.1, 20))
def test_calibration_keeps_the_order_of_scores_without_bias(logit, temperature):
    soft = PLAIN.model_copy(update={"temperature": temperature}).probabilities([logit, 0.0])
    assert (soft[0] >= 0.5) == (logit >= 0) or abs(logit) < 1e-3
    assert soft.sum() == pytest.approx(1, abs=1e-6)


def test_calibration_is_softmax_at_temperature_1():
    logits = np.array([[1.0, -1.0], [0.0, 3.0]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(PLAIN.probabilities(logits), expected, atol=1e-6)


def test_calibration_adds_the_bias():
    shifted = Calibration(temperature=2.0, bias=(1.0, -1.0), images=1).probabilities(np.zeros(2))
    assert shifted[0] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)


def with_calibration(bundle, calibration):
    config = bundle.config.model_copy(update={"calibration": calibration})
    return Pipeline(Bundle(folder=bundle.folder, config=config, sha256=bundle.sha256))


def test_calibrated_finding_says_so_and_has_the_scores_of_the_logits(small_bundle, pipeline, chest):
    points = {"balanced": 0.4, "sensitive": 0.2, "specific": 0.7}
    calibration = Calibration(temperature=3.0, bias=(0.5, -0.5), images=40, operating_points=points)
    with with_calibration(read_bundle(small_bundle), calibration) as calibrated:
        plain, soft = pipeline.screen(chest), calibrated.screen(chest)
    assert soft.record()["calibrated"] is True
    assert soft.record()["operating_points"] == points
    logit = np.log(plain.scores["covid"] / plain.scores["non-covid"])
    assert np.log(soft.scores["covid"] / soft.scores["non-covid"]) == pytest.approx(logit / 3 + 1, abs=1e-4)
    fold = np.log(plain.folds["covid"][0] / plain.folds["non-covid"][0])
    assert np.log(soft.folds["covid"][0] / soft.folds["non-covid"][0]) == pytest.approx(fold / 3 + 1, abs=1e-4)


def test_interval_is_that_of_students_t():
    stats = pytest.importorskip("scipy.stats")
    for folds in range(2, 65):
        values = np.random.default_rng(folds).normal(size=folds)
        expected = stats.t.ppf(0.975, folds - 1) * stats.sem(values)
        assert half_width(values) == pytest.approx(expected, rel=1e-9), folds


def test_interval_is_that_of_scipy_on_the_log_odds():
    stats = pytest.importorskip("scipy.stats")
    differences = np.array([0.4, -0.2, 1.1, 0.3, 0.9, 0.0])
    low, high = stats.t.interval(0.95, 5, differences.mean(), stats.sem(differences))
    found = interval(np.stack([differences, np.zeros(6)], axis=1))
    np.testing.assert_allclose(found[0], 1 / (1 + np.exp([-low, -high])), rtol=1e-6)


def test_intervals_of_two_classes_mirror_each_other():
    first, second = interval([[1, 0], [2, 0.5], [0, 1]], AT_02)
    assert first.tolist() == pytest.approx((1 - second[::-1]).tolist())


def test_interval_is_calibrated():
    logits = np.array([[1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(interval(logits / 2 + [0.5, -0.5]), interval(logits, AT_02), rtol=1e-5)


def test_single_fold_has_no_interval():
    assert interval([[1, 0]]) is None
    assert reason([[1, 0]]) is None


def test_interval_of_equal_folds_has_no_width():
    low, high = interval([[1, 0]] * 6)[0]
    assert low == pytest.approx(high) == pytest.approx(1 / (1 + np.exp(-1)))


@given(st.lists(st.tuples(*[st.floats(-40, 40)] * 3), min_size=2, max_size=6))
def test_interval_holds_the_score_and_stays_in_0_to_1(logits):
    found = score(output(logits), None, ClassifierConfig(classes=THREE))
    assert ((found.interval >= 0) & (found.interval <= 1)).all()
    assert (found.interval[:, 0] <= found.ensemble + 1e-5).all()
    assert (found.interval[:, 1] >= found.ensemble - 1e-5).all()


def test_log_odds_do_not_overflow():
    np.testing.assert_allclose(log_odds(np.array([800.0, 0.0, -800.0])), [800, -800, -1600])


@pytest.mark.parametrize(
    "logits",
    [[[3, 0], [3.2, 0], [2.9, 0]], [[0.1, 0], [0.11, 0], [0.1, 0]]],
    ids=["far from the middle", "folds agree"],
)
def test_score_is_not_uncertain(logits):
    assert reason(logits) is None


def test_score_near_the_middle_is_uncertain_where_folds_disagree():
    assert "covid between 0.08 and 0.94" in reason([[-1, 0], [1, 0], [0.4, 0]])


def test_balanced_operating_point_takes_the_place_of_the_middle():
    near_02 = 2 * (np.log(0.2 / 0.8) - 1)
    said = reason([[near_02 - 0.2, 0], [near_02 + 0.2, 0], [near_02, 0]], AT_02)
    assert "balanced operating point 0.20" in said
    assert reason([[-1.8, 0], [-2.2, 0], [-2.0, 0]], AT_02) is None


def test_more_classes_are_uncertain_where_the_order_of_the_two_highest_is_open():
    assert "normal or covid" in reason([[1, 0, -4], [0, 1, -4], [0.6, 0, -4]], None, THREE)
    assert reason([[4, 0, -4], [4.2, 0.1, -4], [4.1, 0, -4]], None, THREE) is None


def test_finding_has_interval_and_uncertainty(pipeline, chest):
    record = json.loads(pipeline.screen(chest).to_json())
    low, high = record["interval"]["covid"]
    assert low <= record["scores"]["covid"] <= high
    assert record["uncertain"] is (low <= 0.5 <= high)
    assert (record["uncertainty_reason"] is not None) is record["uncertain"]


def test_finding_of_a_refused_image_has_no_interval(pipeline, dicom):
    record = pipeline.screen(dicom(Modality="CT")).record()
    assert (record["interval"], record["uncertain"], record["uncertainty_reason"]) == (None, None, None)


def test_score_at_the_operating_point_is_uncertain(small_bundle, pipeline, chest):
    point = {"balanced": pipeline.screen(chest).scores["covid"]}
    with with_calibration(read_bundle(small_bundle), PLAIN.model_copy(update={"operating_points": point})) as opened:
        finding = opened.screen(chest)
    assert finding.is_uncertain
    row = finding_row(finding, Input(path=chest, folder="chest"))
    assert set(row) <= set(finding_columns(TWO))
    assert float(row["low_covid"]) <= float(row["score_covid"]) <= float(row["high_covid"])
    assert row["uncertain"] == "true"
