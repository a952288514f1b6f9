"""Loss and metric by epoch, of one run or of all folds (paper Figs. 6 and 11b). Needs matplotlib."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrnet.arrays import Float64
from cxrnet.plots.chart import BLUE, VERMILION, in_style, new_chart

History = Mapping[str, Sequence[float]]

_SETS = (("train", "training", BLUE), ("val", "validation", VERMILION))


@in_style
def draw_history(folds: Mapping[str, History]) -> Figure:
    """Draw one panel per quantity, training and validation in two colours.

    One run: points joined by lines. Several folds: a thin line each, and their mean, thick, over the epochs that all
    of them have.

    Args:
        folds: Name -> history of a run or fold. A history holds `epoch` and, per quantity, `train_<name>` and
            `val_<name>`, of one length; either of the two may be missing, and NaN is a gap.
    """
    prefixed = (name.split("_", 1) for history in folds.values() for name in history if "_" in name)
    quantities = list(dict.fromkeys(quantity for prefix, quantity in prefixed if prefix in {"train", "val"}))
    figure, axes = new_chart(5.0 * len(quantities), 4.0, columns=len(quantities))
    for number, (one, quantity) in enumerate(zip(axes, quantities, strict=True)):
        for prefix, label, colour in _SETS:
            lines = [
                (np.asarray(history["epoch"], float), np.asarray(history[f"{prefix}_{quantity}"], float))
                for history in folds.values()
                if f"{prefix}_{quantity}" in history
            ]
            _draw(one, lines, label, colour)
        name = quantity.replace("_", " ")
        one.set(title=f"Training: {name}" if number == 0 else name, xlabel="Epoch", ylabel=name)
        one.legend()
    return figure


def _draw(axes: Axes, lines: Sequence[tuple[Float64, Float64]], label: str, colour: str) -> None:
    if len(lines) == 1:
        (epochs, values), *_ = lines
        marker = "o" if len(epochs) <= 30 else None
        axes.plot(epochs, values, color=colour, linewidth=1.8, marker=marker, markersize=3, label=label)
        return
    for epochs, values in lines:
        axes.plot(epochs, values, color=colour, linewidth=0.8, alpha=0.4)
    shared = sorted(set.intersection(*(set(epochs.tolist()) for epochs, _ in lines))) if lines else []
    if shared:
        mean = np.mean([values[np.searchsorted(epochs, shared)] for epochs, values in lines], axis=0)
        axes.plot(shared, mean, color=colour, linewidth=2.2, label=f"{label}, mean of {len(lines)} folds")
