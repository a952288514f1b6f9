import numpy as np
import pytest

from cxrnet.training.dataset import EpochOrder
from cxrnet.training.sampling import draw_probabilities

# two sources with one class each, and one with both
LABELS = np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 1])
SOURCES = ["a", "a", "a", "b", "c", "c", "m", "m", "m", "m"]


def share(probabilities, *, source=None, label=None):
    """Part of the draws that a source, a class, or a class of a source gets."""
    chosen = np.ones(len(LABELS), bool) if source is None else np.array(SOURCES) == source
    return probabilities[chosen & ((label is None) | (label == LABELS))].sum()


@pytest.mark.parametrize("mixed", [0.0, 0.3, 1.0])
def test_mixed_sources_get_their_share_and_each_class_the_same(mixed):
    found = draw_probabilities(LABELS, SOURCES, mixed_share=mixed)
    assert found.sum() == pytest.approx(1)
    assert share(found, source="m") == pytest.approx(mixed)
    assert share(found, source="m", label=0) == pytest.approx(mixed / 2)
    assert share(found, label=0) == pytest.approx(0.5)
    assert share(found, source="a") == pytest.approx(share(found, source="b"))


def test_xrays_of_one_source_and_class_are_drawn_alike():
    found = draw_probabilities(LABELS, SOURCES, mixed_share=0.4)
    assert found[0] == found[1] == found[2] != found[3]


@pytest.mark.parametrize("sources", [["a"] * 10, [f"s{label}" for label in LABELS]])
def test_sources_of_one_kind_have_all_draws(sources):
    found = draw_probabilities(LABELS, sources, mixed_share=0.3)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).all()
    assert share(found, label=0) == pytest.approx(0.5)


def test_single_xray_of_a_class_is_not_drawn_again_and_again():
    labels = np.array([0] + [1] * 199)
    found = draw_probabilities(labels, ["a"] * 200, mixed_share=0.5)
    assert found.sum() == pytest.approx(1)
    assert found[0] == pytest.approx(8 / 200)
    assert (found[1:] == found[1]).all()


def test_epoch_draws_by_the_probabilities_and_repeats_itself():
    draws = np.array([0.0, 0.7, 0.3])
    order = [index for _, index in EpochOrder(3, seed=0, epoch=1, draws=draws, number=4000)]
    assert len(order) == 4000
    assert 0 not in order
    assert order.count(1) == pytest.approx(2800, abs=120)
    again = [index for _, index in EpochOrder(3, seed=0, epoch=1, draws=draws, number=4000)]
    assert again == order
    assert [index for _, index in EpochOrder(3, seed=0, epoch=2, draws=draws, number=4000)] != order
