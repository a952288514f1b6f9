from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrnet.screening.panel.colour import FOLD
from cxrnet.screening.panel.score_axis import draw_score_axis, folds_text, stack_levels
from tests.screening.panel.material import scored

PROBABILITY = st.floats(0, 1)
LEGEND = 1  # the dot that explains the others


def _dots(strip):
    is_fold = (strip == np.array(FOLD, dtype=np.uint8)).all(axis=2).astype(np.uint8)
    return cv2.connectedComponents(is_fold, connectivity=4)[0] - 1 - LEGEND


def _strip(folds, score=0.5):
    scores = {"covid": score, "non-covid": 1 - score}
    finding = scored(scores=scores, folds={"covid": folds, "non-covid": [1 - fold for fold in folds]})
    return draw_score_axis(finding)


@settings(max_examples=40, deadline=None)
@given(st.lists(PROBABILITY, min_size=1, max_size=6), PROBABILITY)
def test_strip_shows_every_fold(folds, score):
    assert _dots(_strip(folds, score)) == len(folds)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_strip_shows_every_fold_when_all_are_equal(value):
    assert _dots(_strip([value] * 6, value)) == 6


def test_strip_has_the_same_height_whatever_the_folds():
    assert _strip([0.5] * 30).shape == _strip([0.1, 0.9]).shape


def test_strip_has_one_axis_for_two_classes_and_one_each_for_more():
    two = draw_score_axis(scored())
    three = draw_score_axis(scored(scores={"a": 0.2, "b": 0.3, "c": 0.5}))
    assert _dots(two) == 6
    assert _dots(three) == 18


def test_fold_stands_further_right_when_its_score_is_higher():
    columns = [np.nonzero((_strip([fold])[40:] == FOLD).all(axis=2))[1].mean() for fold in (0.2, 0.8)]
    assert columns[1] - columns[0] == pytest.approx(0.6 * 880, abs=1)


@given(st.lists(PROBABILITY, max_size=12), st.floats(0.001, 0.2))
def test_stack_keeps_dots_of_a_level_apart(scores, spacing):
    placed = list(zip(scores, stack_levels(scores, spacing), strict=True))
    for (one, level), (other, other_level) in combinations(placed, 2):
        assert level != other_level or abs(one - other) >= spacing


def test_stack_is_flat_when_scores_are_apart():
    assert stack_levels([0.9, 0.1, 0.5], 0.05) == [0, 0, 0]


def test_stack_rises_when_scores_are_equal():
    assert sorted(stack_levels([0.5] * 6, 0.05)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("folds", "seen"),
    [
        ([0.99, 0.81, 0.9, 0.9, 0.9, 0.9], "6 folds, 0.81 to 0.99"),
        ([0.0, 0.001], "2 folds, all < 0.01"),
        ([0.0, 1.0], "2 folds, < 0.01 to > 0.99"),
        ([0.4], "1 fold, 0.40"),
    ],
)
def test_folds_read(folds, seen):
    assert folds_text(folds) == seen
