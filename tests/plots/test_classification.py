import numpy as np
import pytest

from cxrnet.plots.chart import png
from cxrnet.plots.classification import Curve, draw_confusion, draw_precision_recall, draw_reliability, draw_roc

STEP = Curve(np.array([0, 0.25, 1]), np.array([0, 0.75, 1]))
LINE = Curve(np.array([0.0, 1]), np.array([0.0, 1]))


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_ensemble_and_folds_are_named():
    figure = draw_roc({"ensemble": STEP}, folds=[STEP, LINE])
    assert labels(figure) == ["chance", "2 folds", "folds, mean \u00b1 1 sd", "ensemble"]
    assert png(figure).startswith(b"\x89PNG")


def band(figure):
    """Recall or false positive rate, and the values of the band of the folds, float [point, 2]."""
    (filled,) = figure.axes[0].collections
    return filled.get_paths()[0].vertices


def test_band_of_the_folds_is_one_standard_deviation_wide():
    vertices = band(draw_roc({"ensemble": STEP}, folds=[STEP, LINE]))
    low, high = np.unique(vertices[np.isclose(vertices[:, 0], 0.25), 1])
    assert (low, high) == pytest.approx((0.25, 0.75))


def test_thick_lines_are_the_curves_themselves():
    figure = draw_roc({"a": STEP, "b": LINE})
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    assert np.array_equal(drawn["a"].get_ydata(), STEP.y)
    assert drawn["a"].get_color() != drawn["b"].get_color()


def test_precision_of_chance_is_the_prevalence():
    figure = draw_precision_recall({"model": STEP}, prevalence=0.3)
    assert "chance (0.30)" in labels(figure)
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([0.3, 0.3])


def test_precision_of_the_folds_is_that_of_the_first_point_that_reaches_a_recall():
    fold = Curve(np.array([0, 0.5, 1]), np.array([1, 0.8, 0.4]))
    vertices = band(draw_precision_recall({"ensemble": fold}, prevalence=0.4, folds=[fold]))
    assert np.unique(vertices[np.isclose(vertices[:, 0], 0.3), 1]) == pytest.approx([0.8])
    assert np.unique(vertices[np.isclose(vertices[:, 0], 1), 1]) == pytest.approx([0.4])


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_counts_stand_left_and_shares_right():
    figure = draw_confusion(np.array([[30, 10], [0, 1200]]), ["a", "b"], ["a", "b"])
    left, right = figure.axes
    assert words(left) == ["30", "10", "0", "1,200"]
    assert words(right) == ["75.0 %", "25.0 %", "0.0 %", "100.0 %"]
    assert png(figure).startswith(b"\x89PNG")


def test_images_without_a_score_have_a_column():
    figure = draw_confusion(np.array([[3, 1, 1], [0, 4, 0]]), ["a", "b"], ["a", "b", "no score"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["a", "b", "no score"]


def test_a_class_without_images_has_shares_of_0():
    figure = draw_confusion(np.array([[0, 0], [1, 1]]), ["a", "b"], ["a", "b"])
    assert words(figure.axes[1])[:2] == ["0.0 %", "0.0 %"]


def test_points_are_share_against_mean_score():
    truth, scores = np.array([True, False, True, True]), np.array([0.12, 0.18, 0.91, 0.99])
    figure = draw_reliability(truth, scores, name="covid")
    observed = figure.axes[0].lines[1]
    assert observed.get_xdata() == pytest.approx([0.15, 0.95])
    assert observed.get_ydata() == pytest.approx([0.5, 1])
    assert png(figure).startswith(b"\x89PNG")


def test_a_single_class_can_be_drawn():
    assert png(draw_reliability(np.ones(5, bool), np.full(5, 1.0))).startswith(b"\x89PNG")


def test_intervals_are_those_of_wilson():
    truth = np.arange(30) % 10 == 0
    figure = draw_reliability(truth[:10], np.full(10, 0.1))
    ((low, high),) = figure.axes[0].collections[0].get_segments()
    assert (low[1], high[1]) == pytest.approx((0.01787, 0.40415), abs=1e-4)  # Newcombe 1998, 1 of 10
