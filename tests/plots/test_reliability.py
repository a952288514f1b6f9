from __future__ import annotations

import numpy as np
import pytest

from cxrnet.plots.chart import png
from cxrnet.plots.reliability import draw_reliability, wilson


def test_points_are_share_against_mean_score():
    truth, scores = np.array([True, False, True, True]), np.array([0.12, 0.18, 0.91, 0.99])
    figure = draw_reliability(truth, scores, name="covid")
    observed = figure.axes[0].lines[1]
    assert observed.get_xdata() == pytest.approx([0.15, 0.95])
    assert observed.get_ydata() == pytest.approx([0.5, 1])
    assert png(figure).startswith(b"\x89PNG")


def test_a_single_class_can_be_drawn():
    assert png(draw_reliability(np.ones(5, bool), np.full(5, 1.0))).startswith(b"\x89PNG")


def test_wilson_interval_of_a_textbook_case():
    low, high = wilson(np.array([0.1, 0.0]), np.array([10, 20]))
    assert low == pytest.approx([0.01787, 0], abs=1e-4)  # Newcombe 1998
    assert high == pytest.approx([0.40415, 0.16113], abs=1e-4)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match=r"scores: have shape \[0\] for \[0\] images; one for each of them is needed"):
        draw_reliability(np.empty(0, bool), np.empty(0))
