import numpy as np

from cxrnet.plots.chart import png
from cxrnet.plots.distribution import draw_overlap, draw_scores

VALUES = np.array([0.9, 0.8, 0.95, 0.7])


def strips(figure):
    return [label.get_text() for label in figure.axes[1].get_yticklabels()]


def test_sources_are_strips_the_largest_first():
    figure = draw_overlap(VALUES, ["south", "north", "north", "north"])
    assert strips(figure) == ["north (3)", "south (1)"]
    assert "Dice of 4 images" in figure.axes[0].get_title(loc="left")
    assert png(figure).startswith(b"\x89PNG")


def test_beyond_twelve_the_smallest_sources_are_put_together():
    sources = [f"s{number:02}" for number in range(14) for _ in range(14 - number)]
    figure = draw_overlap(np.linspace(0.5, 1, len(sources)), sources)
    assert len(strips(figure)) == 12
    assert strips(figure)[-1] == f"(others) ({3 + 2 + 1})"


def test_a_low_dice_widens_the_axis():
    figure = draw_overlap(np.array([0.05, 0.9]), ["a", "a"])
    assert figure.axes[0].get_xlim()[0] < 0.05


def test_every_image_is_a_point():
    figure = draw_scores(VALUES, ["a", "b", "a", "b"], ["x", "x", "y", "y"], name="a")
    assert sum(len(points.get_offsets()) for points in figure.axes[1].collections) == 4


def test_the_class_of_the_score_comes_first():
    figure = draw_scores(VALUES, ["b", "a", "c", "b"], ["x"] * 4, name="b")
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ["b (n = 2)", "a (n = 1)", "c (n = 1)"]
