from __future__ import annotations

import numpy as np
import pytest

from cxrnet.plots.chart import png
from cxrnet.plots.reliability import draw_reliability


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
