"""The style of charts: light ground, few lines, colours that colour-blind eyes can distinguish. Needs matplotlib.

Charts are matplotlib `Figure` objects made without pyplot: no figure stays open after the call. The functions that draw
are decorated with `in_style`.
"""

import io
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cxrnet.arrays import AnyArray

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#AA4499"
AMBER: Final = "#E69F00"
SKY: Final = "#56B4E9"
SERIES: Final = (BLUE, VERMILION, GREEN, PURPLE, AMBER, SKY)
"""Colours of lines and points in their order (Okabe and Ito 2008, the pink made darker)."""

INK: Final = "#1F2328"
QUIET: Final = "#59636E"
GRID: Final = "#E4E8EC"
DASHED: Final = (0, (4, 4))

STYLE: Final[Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "grid.color": GRID,
    "legend.edgecolor": GRID,
    "legend.fontsize": 9,
    "legend.framealpha": 0.9,
    "legend.labelcolor": INK,
    "savefig.dpi": 144,
    "text.parse_math": False,
    "xtick.color": QUIET,
    "xtick.labelsize": 9,
    "ytick.color": QUIET,
    "ytick.labelsize": 9,
}
"""matplotlib's settings for all charts; dollar signs in names are no mathematics."""

in_style = rc_context(STYLE)
"""Decorator for functions that draw."""


@in_style
def new_chart(
    width: float, height: float, *, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of this size in inches, and its axes from left to right, top to bottom."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, list(np.atleast_1d(figure.subplots(rows, columns, **grid)).flat)


@in_style
def picture_grid(width: float, height: float, *, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return as `new_chart` a grid for pictures, without axes."""
    figure, axes = new_chart(width, height, rows=rows, columns=columns)
    for one in axes:
        one.set_axis_off()
    return figure, axes


def unit_square(axes: Axes) -> None:
    """Set both axes to 0..1, as wide as high, with a margin so that lines at the ends are fully visible."""
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), aspect="equal")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))


@in_style
def png(figure: Figure) -> bytes:
    """Return the figure as PNG; the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def jitter(values: AnyArray, middle: float, *, width: float) -> AnyArray:
    """Return positions, float64 [point], around `middle` for points that would hide each other: wider where denser."""
    if len(values) < 2:
        return np.full(len(values), middle)
    counts, edges = np.histogram(values, bins=40)
    density = counts[np.clip(np.digitize(values, edges) - 1, 0, len(counts) - 1)] / counts.max()
    golden = (np.arange(len(values)) * 0.6180339887) % 1  # a low-discrepancy sequence
    return np.asarray(middle + width * np.sqrt(density) * (2 * golden - 1))
