import numpy as np

from cxrnet.plots.chart import png
from cxrnet.plots.history import draw_history


def history(epochs=4):
    values = [1 / (epoch + 1) for epoch in range(epochs)]
    return {"epoch": range(1, epochs + 1), "train_loss": values, "val_loss": values, "val_dice": values}


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_one_run_has_a_panel_for_each_quantity():
    figure = draw_history(history())
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "dice"]
    assert set(lines(figure.axes[0])) == {"training", "validation"}
    assert set(lines(figure.axes[1])) == {"validation"}
    assert png(figure).startswith(b"\x89PNG")


def test_an_epoch_without_a_value_is_a_gap():
    given = history() | {"val_dice": [np.nan, 0.5, np.nan, 0.6]}
    assert png(draw_history(given)).startswith(b"\x89PNG")
