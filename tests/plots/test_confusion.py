from __future__ import annotations

import numpy as np

from cxrnet.plots.chart import png
from cxrnet.plots.confusion import draw_confusion


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
