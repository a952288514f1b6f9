import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from cxrnet.evaluation.metrics import METRICS, bin_membership, classifier_statistic, one_versus_rest


def values(statistic, weights=None, *, count=None):
    weights = np.ones((1, count)) if weights is None else weights
    return {name: value[0] for name, value in statistic(weights).items()}


def pair(first):
    first = np.asarray(first, dtype=float)
    return np.stack([first, 1 - first], axis=1)


@pytest.fixture(params=range(2))
def drawn(request):
    """Labels, coarse scores (so that many tie) and weights."""
    chance = np.random.default_rng(request.param)
    labels = chance.integers(0, 2, 200)
    first = np.clip(chance.normal(0.45 + 0.15 * (labels == 0), 0.2), 0, 1).round(1 + request.param % 2)
    return labels, pair(np.where(first == 0.5, 0.51, first)), chance.integers(1, 4, (1, 200)).astype(float)


def test_binary_metrics_are_those_of_scikit_learn(drawn):
    labels, scores, weights = drawn
    truth, called, first, each = labels == 0, scores.argmax(axis=1) == 0, scores[:, 0], weights[0]
    found = values(classifier_statistic(labels, scores), weights)
    for name, expected in {
        "accuracy": oracle.accuracy_score(truth, called, sample_weight=each),
        "precision": oracle.precision_score(truth, called, sample_weight=each),
        "recall": oracle.recall_score(truth, called, sample_weight=each),
        "specificity": oracle.recall_score(~truth, ~called, sample_weight=each),
        "f1": oracle.f1_score(truth, called, sample_weight=each),
        "roc_auc": oracle.roc_auc_score(truth, first, sample_weight=each),
        "average_precision": oracle.average_precision_score(truth, first, sample_weight=each),
        "brier": oracle.brier_score_loss(truth, first, sample_weight=each),
    }.items():
        assert found[name] == pytest.approx(expected, abs=1e-12), name


def test_metrics_of_many_classes_are_those_of_scikit_learn():
    chance = np.random.default_rng(0)
    labels, scores = chance.integers(0, 4, 300), chance.dirichlet(np.ones(4), 300)
    answers, found = scores.argmax(axis=1), values(classifier_statistic(labels, scores), count=300)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(labels, answers))
    for name, function in {
        "precision": oracle.precision_score,
        "recall": oracle.recall_score,
        "f1": oracle.f1_score,
    }.items():
        assert found[name] == pytest.approx(function(labels, answers, average="macro")), name
    assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(labels, scores, multi_class="ovr"))
    precision = oracle.average_precision_score(np.eye(4)[labels], scores, average="macro")
    assert found["average_precision"] == pytest.approx(precision)


def test_one_class_of_many_is_measured_against_the_rest():
    labels, scores = np.array([0, 1, 2, 2]), np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7], [0, 0.5, 0.5], [0.1, 0, 0.9]])
    found = values(one_versus_rest(labels, scores, 2), count=4)
    assert found["precision"] == 1 / 2  # images 1 and 3 are called 2; image 2 ties and is called 1
    assert found["recall"] == 1 / 2
    assert found["specificity"] == 1 / 2
    assert found["roc_auc"] == 3 / 4


def test_a_weight_counts_as_copies(drawn):
    labels, scores, weights = drawn
    copies = np.repeat(np.arange(200), weights[0].astype(int))
    weighted = values(classifier_statistic(labels, scores), weights)
    repeated = values(classifier_statistic(labels[copies], scores[copies]), count=len(copies))
    assert weighted == pytest.approx(repeated)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_the_right_order(images):
    truth = np.array([is_positive for is_positive, _ in images])
    first = np.array([score / 8 for _, score in images])
    found = values(classifier_statistic((~truth).astype(int), pair(first)), count=len(images))["roc_auc"]
    pairs = [(a > b) + (a == b) / 2 for a in first[truth] for b in first[~truth]]
    assert np.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs))


def test_calibration_error_counted_by_hand():
    # Bin 0.9 to 1: mean score 0.95, three of four right. Bin 0.1 to 0.2: mean 0.15, none of two.
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = values(classifier_statistic(labels, pair([0.95] * 4 + [0.15] * 2)), count=6)["calibration_error"]
    assert found == pytest.approx((4 * 0.2 + 2 * 0.15) / 6)


def test_a_score_of_1_falls_in_the_last_bin():
    assert bin_membership(np.array([0.0, 0.1, 1.0])).argmax(axis=1).tolist() == [0, 1, 9]


def test_what_is_undefined_is_nan():
    found = values(classifier_statistic(np.array([1, 1]), pair([0.2, 0.3])), count=2)
    undefined = {name for name in METRICS if np.isnan(found[name])}
    assert undefined == {"precision", "recall", "f1", "roc_auc", "average_precision"}


def test_a_mean_over_classes_is_undefined_where_one_class_is():
    labels, scores = np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    found = values(classifier_statistic(labels, scores), count=2)
    assert np.isnan(found["recall"])
    assert found["accuracy"] == 1
