from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet import Pipeline
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.model.config import Calibration
from cxrnet.screening.calibration import calibrate

PLAIN = Calibration(temperature=1.0, bias=(0.0, 0.0), films=1)


@given(st.floats(-50, 50), st.floats(0.1, 20))
def test_calibrate_keeps_the_order_of_scores_without_bias(logit, temperature):
    soft = calibrate(np.array([logit, 0.0]), PLAIN.model_copy(update={"temperature": temperature}))
    assert (soft[0] >= 0.5) == (logit >= 0) or abs(logit) < 1e-3
    assert soft.sum() == pytest.approx(1, abs=1e-6)


def test_calibrate_is_softmax_at_temperature_1():
    logits = np.array([[1.0, -1.0], [0.0, 3.0]])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibrate(logits, PLAIN), expected, atol=1e-6)


def test_calibrate_adds_the_bias():
    shifted = calibrate(np.zeros(2), Calibration(temperature=2.0, bias=(1.0, -1.0), films=1))
    assert shifted[0] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)


@pytest.fixture
def calibrated(small_bundle):
    bundle = read_bundle(small_bundle)
    points = {"balanced": 0.4, "sensitive": 0.2, "specific": 0.7}
    calibration = Calibration(temperature=3.0, bias=(0.5, -0.5), films=40, operating_points=points)
    config = bundle.config.model_copy(update={"calibration": calibration})
    with Pipeline(Bundle(folder=bundle.folder, config=config, sha256=bundle.sha256)) as pipeline:
        yield pipeline


def test_finding_of_a_calibrated_bundle_says_so(calibrated, chest):
    record = calibrated.screen(chest).record()
    assert record["calibrated"] is True
    assert record["operating_points"] == {"balanced": 0.4, "sensitive": 0.2, "specific": 0.7}


def test_calibrated_scores_are_those_of_the_logits(calibrated, pipeline, chest):
    plain, soft = pipeline.screen(chest), calibrated.screen(chest)
    logit = np.log(plain.scores["covid"] / plain.scores["non-covid"])
    assert np.log(soft.scores["covid"] / soft.scores["non-covid"]) == pytest.approx(logit / 3 + 1, abs=1e-4)
    fold = np.log(plain.folds["covid"][0] / plain.folds["non-covid"][0])
    assert np.log(soft.folds["covid"][0] / soft.folds["non-covid"][0]) == pytest.approx(fold / 3 + 1, abs=1e-4)
