import numpy as np
import pytest

from cxrnet.plots.chart import png
from cxrnet.plots.history import draw_history


def history(epochs=4, *, shift=0.0):
    values = [shift + 1 / (epoch + 1) for epoch in range(epochs)]
    return {"epoch": range(1, epochs + 1), "train_loss": values, "val_loss": values, "val_dice": values}


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_one_run_has_a_panel_for_each_quantity():
    figure = draw_history({"run": history()})
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "dice"]
    assert set(lines(figure.axes[0])) == {"training", "validation"}
    assert set(lines(figure.axes[1])) == {"validation"}
    assert png(figure).startswith(b"\x89PNG")


def test_folds_are_thin_and_their_mean_is_thick():
    figure = draw_history({"0": history(), "1": history(shift=1)})
    mean = lines(figure.axes[0])["training, mean of 2 folds"]
    assert mean.get_ydata() == pytest.approx([1.5, 1, 5 / 6, 0.75])
    assert len(figure.axes[0].lines) == 2 * 2 + 2


def test_the_mean_ends_with_the_shortest_fold():
    figure = draw_history({"0": history(), "1": history(2)})
    assert lines(figure.axes[0])["training, mean of 2 folds"].get_xdata().tolist() == [1, 2]


def test_an_epoch_without_a_value_is_a_gap():
    given = history() | {"val_dice": [np.nan, 0.5, np.nan, 0.6]}
    assert png(draw_history({"run": given})).startswith(b"\x89PNG")
