import numpy as np
import pytest

from cxrnet.errors import UsageError
from cxrnet.training.calibration import fit_calibration, operating_points


def out_of_fold(xrays, *, temperature, shift=0.0, seed=0):
    """Logits of a network that is too sure by `temperature`, and labels drawn from the true probabilities."""
    chance = np.random.default_rng(seed)
    true = chance.normal(0, 1.5, xrays)
    labels = (chance.random(xrays) >= 1 / (1 + np.exp(-true))).astype(np.int64)
    sure = (true - shift) * temperature
    return np.stack([sure / 2, -sure / 2], axis=1), labels


def test_calibration_finds_the_temperature():
    logits, labels = out_of_fold(20_000, temperature=4.0)
    assert fit_calibration(logits, labels).temperature == pytest.approx(4.0, rel=0.05)


def test_calibration_finds_the_bias():
    logits, labels = out_of_fold(20_000, temperature=1.0, shift=1.0)
    first, second = fit_calibration(logits, labels).bias
    assert first - second == pytest.approx(1.0, abs=0.06)
    assert first + second == pytest.approx(0.0, abs=1e-9)


def test_calibrated_probabilities_are_as_often_right_as_they_say():
    logits, labels = out_of_fold(20_000, temperature=5.0, shift=0.7)
    probability = fit_calibration(logits, labels).probabilities(logits)[:, 0]
    for low in np.arange(0.1, 0.9, 0.2):
        chosen = (probability >= low) & (probability < low + 0.2)
        assert (labels[chosen] == 0).mean() == pytest.approx(probability[chosen].mean(), abs=0.03)


def test_calibration_of_three_classes_has_three_biases_and_no_operating_point():
    chance = np.random.default_rng(0)
    labels = chance.integers(0, 3, 600)
    fitted = fit_calibration(chance.normal(0, 1, (600, 3)) + 2 * np.eye(3)[labels], labels)
    assert len(fitted.bias) == 3
    assert fitted.operating_points == {}


def test_prediction_sets_are_fitted_where_the_classes_are_named():
    logits, labels = out_of_fold(500, temperature=1.0)
    assert fit_calibration(logits, labels).conformal is None
    sets = fit_calibration(logits, labels, ("covid", "non-covid")).conformal
    assert sets.level == 0.9
    assert 0 < sets.thresholds["covid"] < 0.5


def test_calibration_stays_finite_where_a_line_divides_the_classes():
    logits = np.array([[3.0, -3.0], [2.0, -2.0], [-2.0, 2.0], [-3.0, 3.0]])
    fitted = fit_calibration(logits, np.array([0, 0, 1, 1]))
    assert 0 < fitted.temperature < np.inf


def test_calibration_needs_xrays_of_every_class():
    with pytest.raises(UsageError, match="class 1 has no out-of-fold image; train all folds first"):
        fit_calibration(np.zeros((3, 2)), np.zeros(3, np.int64))


def test_operating_points_keep_what_they_promise():
    logits, labels = out_of_fold(2000, temperature=1.0)
    probability = fit_calibration(logits, labels).probabilities(logits)[:, 0].astype(np.float64)
    points = operating_points(probability, labels == 0)
    assert (probability[labels == 0] >= points["sensitive"]).mean() >= 0.95
    assert (probability[labels == 1] < points["specific"]).mean() >= 0.95
    assert points["sensitive"] < points["balanced"] < points["specific"]
