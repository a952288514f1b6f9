import numpy as np
import pytest

from cxrnet.evaluation.bootstrap import draw_weights, estimate, mean_statistic
from cxrnet.evaluation.metrics import classifier_statistic


def names(count):
    return [f"g{number}" for number in range(count)]


def test_images_of_one_group_are_drawn_together():
    (weights,) = draw_weights(["a", "b", "a", "c"], resamples=50, seed=0)
    assert (weights[:, 0] == weights[:, 2]).all()


def test_a_resample_draws_as_many_groups_as_there_are():
    (weights,) = draw_weights(names(7), resamples=50, seed=0)
    assert (weights.sum(axis=1) == 7).all()


def test_the_draw_is_the_same_whatever_is_held_at_once(monkeypatch):
    (whole,) = draw_weights(names(9), resamples=40, seed=3)
    monkeypatch.setattr("cxrnet.evaluation.bootstrap.MAX_WEIGHTS", 9 * 7)
    parts = list(draw_weights(names(9), resamples=40, seed=3))
    assert len(parts) == 6
    assert (np.concatenate(parts) == whole).all()


def test_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(5, 2, 1000)
    found = estimate(mean_statistic({"mean": values}), names(1000), resamples=4000)["mean"]
    half = 1.96 * values.std() / 1000**0.5
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_twins_in_a_group_do_not_shorten_the_interval():
    values = np.random.default_rng(0).normal(0, 1, 200)
    alone = estimate(mean_statistic({"mean": values}), names(200))["mean"]
    twins = estimate(mean_statistic({"mean": np.repeat(values, 5)}), list(np.repeat(names(200), 5)))["mean"]
    apart = estimate(mean_statistic({"mean": np.repeat(values, 5)}), names(1000))["mean"]
    assert twins.high - twins.low == pytest.approx(alone.high - alone.low, rel=1e-6)
    assert apart.high - apart.low < 0.6 * (twins.high - twins.low)


def test_the_seed_decides():
    statistic = mean_statistic({"mean": np.arange(50.0)})
    assert estimate(statistic, names(50), seed=1) == estimate(statistic, names(50), seed=1)
    assert estimate(statistic, names(50), seed=1) != estimate(statistic, names(50), seed=2)


def test_a_mean_passes_over_images_without_a_value():
    values = np.array([1.0, np.nan, 3.0])
    found = estimate(mean_statistic({"mean": values}), names(3), counts={"mean": 2})["mean"]
    assert found.value == 2
    assert found.n == 2


def test_a_metric_that_is_undefined_has_no_value():
    found = estimate(mean_statistic({"mean": np.full(20, np.nan)}), names(20), resamples=10)["mean"]
    assert (found.value, found.low, found.high, found.skipped) == (None, None, None, 10)


def test_resamples_without_both_classes_are_skipped_and_counted():
    labels, scores = np.array([0] + [1] * 19), np.linspace(0.9, 0.1, 20)
    found = estimate(classifier_statistic(labels, np.stack([scores, 1 - scores], axis=1)), names(20))
    assert found["roc_auc"].value == 1
    assert 300 < found["roc_auc"].skipped < 420  # (1 - 1 / 20) ** 20 = 0.36
    assert found["accuracy"].skipped == 0


def test_fewer_than_ten_groups_have_no_interval():
    values = np.arange(9.0)
    nine = estimate(mean_statistic({"mean": values}), names(9))["mean"]
    assert (nine.value, nine.low, nine.high, nine.skipped) == (4, None, None, 0)
    assert estimate(mean_statistic({"mean": np.arange(10.0)}), names(10))["mean"].low is not None


def test_no_resamples_give_values_without_intervals():
    found = estimate(mean_statistic({"mean": np.arange(20.0)}), names(20), resamples=0)["mean"]
    assert (found.value, found.low) == (9.5, None)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images; a metric needs one or more"):
        estimate(mean_statistic({"mean": np.empty(0)}), [])


def test_interval_of_an_auc_is_about_that_of_delong():
    chance = np.random.default_rng(1)
    labels = chance.integers(0, 2, 600)
    first = 1 / (1 + np.exp(-(chance.normal(size=600) + (labels == 0))))
    found = estimate(classifier_statistic(labels, np.stack([first, 1 - first], axis=1)), names(600), resamples=2000)
    positives, negatives = first[labels == 0], first[labels == 1]
    wins = (positives[:, None] > negatives).astype(float)
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)
    half = (found["roc_auc"].high - found["roc_auc"].low) / 2
    assert half == pytest.approx(1.96 * variance**0.5, rel=0.08)
