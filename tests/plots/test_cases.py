import numpy as np

from cxrnet.plots.cases import Case, draw_cases
from cxrnet.plots.chart import png
from tests.plots.material import lung_mask, radiograph

CAPTION = "image.png\nDice 0.50"


def case(*, predicted=None):
    return Case(radiograph(), lung_mask(), lung_mask() if predicted is None else predicted)


def test_images_are_drawn_in_rows_of_five():
    figure = draw_cases([case()] * 7, [CAPTION] * 7)
    assert len(figure.axes) == 10
    assert png(figure).startswith(b"\x89PNG")


def test_both_outlines_are_drawn_each_on_a_dark_line():
    assert len(draw_cases([case()], [CAPTION]).axes[0].collections) == 4


def test_an_empty_mask_has_no_outline():
    empty = case(predicted=np.zeros_like(lung_mask()))
    assert len(draw_cases([empty], [CAPTION]).axes[0].collections) == 2


def test_a_long_name_loses_its_middle():
    figure = draw_cases([case()], ["a" * 40 + "end.png\nDice 0.5"])
    first, second = figure.axes[0].get_title().split("\n")
    assert first.endswith("end.png")
    assert len(first) <= 30
    assert second == "Dice 0.5"
