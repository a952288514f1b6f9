"""Loss and metric of a training by epoch (paper Figs. 6 and 11b). Needs matplotlib."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from cxrnet.plots.chart import BLUE, VERMILION, in_style, new_chart

_PARTS = (("train", "training", BLUE), ("val", "validation", VERMILION))


@in_style
def draw_history(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw one panel per quantity, training and validation in two colours.

    `history` has `epoch` and, per quantity, `train_<name>` and `val_<name>`, of one length; either of the two may be
    missing, and NaN is a gap.
    """
    prefixed = (name.split("_", 1) for name in history if name.startswith(("train_", "val_")))
    quantities = list(dict.fromkeys(quantity for _, quantity in prefixed))
    figure, axes = new_chart(5.0 * len(quantities), 4.0, columns=len(quantities))
    epochs = history["epoch"]
    marker = "o" if len(epochs) <= 30 else None
    for number, (one, quantity) in enumerate(zip(axes, quantities, strict=True)):
        for part, label, colour in _PARTS:
            if (values := history.get(f"{part}_{quantity}")) is not None:
                one.plot(epochs, values, color=colour, linewidth=1.8, marker=marker, markersize=3, label=label)
        name = quantity.replace("_", " ")
        one.set(title=f"Training: {name}" if number == 0 else name, xlabel="Epoch", ylabel=name)
        one.legend()
    return figure
