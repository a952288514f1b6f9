"""Single images with the lungs as drawn by an annotator and as predicted by a model. Needs matplotlib."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrnet.arrays import Bool, UInt8
from cxrnet.plots.chart import AMBER, INK, SKY, in_style, picture_grid

_DASHES = (0, (3.0, 1.2))
_MAX_CAPTION, _MAX_COLUMNS = 30, 5


class Case(NamedTuple):
    """One `image` uint8 [height, width] with the lungs by annotator and model, `truth` and `predicted`, bool."""

    image: UInt8
    truth: Bool
    predicted: Bool


@in_style
def draw_cases(cases: Sequence[Case], captions: Sequence[str]) -> Figure:
    """Draw images in rows: the model's lungs outlined in blue, the annotator's in amber dashes on top."""
    columns = min(_MAX_COLUMNS, len(cases))
    rows = math.ceil(len(cases) / columns)
    figure, axes = picture_grid(max(2.3 * columns, 5), 2.5 * rows + 0.7, rows=rows, columns=columns)
    for one, case, caption in zip(axes, cases, captions, strict=False):
        _draw(one, case, caption)
    lines: list[Any] = [
        Line2D([], [], color=AMBER, linewidth=2, linestyle=_DASHES, label="annotator"),
        Line2D([], [], color=SKY, linewidth=2, label="model"),
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return figure


def _draw(axes: Axes, case: Case, caption: str) -> None:
    axes.imshow(case.image, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    for mask, colour, width, style in ((case.predicted, SKY, 1.0, "solid"), (case.truth, AMBER, 1.7, _DASHES)):
        if mask.any():
            padded = np.pad(mask.astype(float), 1)  # so that a lung at the edge of the image is outlined there too
            grid = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
            axes.contour(*grid, padded, levels=[0.5], colors="black", linewidths=width + 0.8)
            axes.contour(*grid, padded, levels=[0.5], colors=colour, linewidths=width, linestyles=[style])
    axes.set(xlim=(-0.5, case.image.shape[1] - 0.5), ylim=(case.image.shape[0] - 0.5, -0.5))
    name, *rest = caption.split("\n")
    if len(name) > _MAX_CAPTION:
        half = (_MAX_CAPTION - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    axes.set_title("\n".join([name, *rest]), loc="center", fontsize=8, fontweight="normal", color=INK)
