import subprocess
import sys

import cv2
import numpy as np

from cxrnet.plots.chart import SERIES, in_style, jitter, new_chart, png
from tests.plots.material import lightness


def test_png_has_the_size_asked_for():
    figure, _ = new_chart(4, 3)
    picture = cv2.imdecode(np.frombuffer(png(figure), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (432, 576, 3)


def test_the_same_figure_gives_the_same_bytes():
    assert png(new_chart(2, 2)[0]) == png(new_chart(2, 2)[0])


def test_charts_do_not_go_through_pyplot():
    program = "import sys; from cxrnet.plots.chart import *; png(new_chart(2, 2)[0]); print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "matplotlib.figure" in done.stdout
    assert "matplotlib.pyplot" not in done.stdout


def test_colours_are_dark_enough_for_a_white_ground():
    colours = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in SERIES])
    assert lightness(colours).max() < 75


@in_style
def _chart_with_dollars():
    figure, (axes,) = new_chart(2, 2)
    axes.set(title="$x$ and $", xlabel=r"$\nonsense$")
    axes.set_yticks([0], [r"$\nonsense$"])
    axes.plot([0], [0], label=r"$\nonsense$")
    axes.legend()
    return figure


def test_dollar_signs_are_not_mathematics():
    assert len(png(_chart_with_dollars())) > 100


def test_points_are_spread_within_the_width():
    places = jitter(np.random.default_rng(0).normal(size=500), 3, width=0.4)
    assert abs(places - 3).max() <= 0.4
    assert len(np.unique(places)) > 400
