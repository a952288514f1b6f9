"""The look of charts: light ground, few lines, colours that colour-blind eyes tell apart. Needs matplotlib.

Charts are matplotlib `Figure` objects made without pyplot: nothing is kept open behind the caller's back.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
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
RESOLUTION: Final = 144
"""Pixels an inch of a chart as PNG."""


def new_chart(
    width: float, height: float, *, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure of this size in inches, and its axes from left to right, top to bottom, in the house style."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = list(np.atleast_1d(figure.subplots(rows, columns, **grid)).flat)
    for one in axes:
        restyle(one)
    return figure, axes


def restyle(axes: Axes) -> None:
    """Draw the axes quietly: two spines, a light grid behind the data, grey numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=QUIET, labelsize=9)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def name_axes(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    """Set the title, flush left, and the names of the axes."""
    axes.set_title(literal(title), loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel(literal(x), fontsize=10, color=INK)
    axes.set_ylabel(literal(y), fontsize=10, color=INK)


def literal(text: str) -> str:
    r"""`text` as it is: matplotlib would read what stands between dollar signs as mathematics."""
    return text.replace("$", r"\$")


def legend(axes: Axes, place: Any = "best", **options: Any) -> None:
    """Add a legend on a white ground, in small type."""
    axes.legend(loc=place, fontsize=9, frameon=True, framealpha=0.9, edgecolor=GRID, labelcolor=INK, **options)


def unit_square(axes: Axes) -> None:
    """Both axes from 0 to 1, as wide as high, with a little room so that lines at the ends are seen whole."""
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), aspect="equal")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))


def spread_out(values: AnyArray, middle: float, *, width: float = 0.36) -> AnyArray:
    """Positions around `middle` for points that would hide each other: the same at every call, denser = wider.

    Args:
        values: float [point], along the other axis.
        middle: Centre of the positions.
        width: Farthest from it.

    Returns:
        float64 [point].
    """
    if len(values) < 2:
        return np.full(len(values), middle)
    counts, edges = np.histogram(values, bins=40)
    places = np.clip(np.digitize(values, edges) - 1, 0, len(counts) - 1)
    density = counts[places] / counts.max()
    golden = (np.arange(len(values)) * 0.6180339887) % 1  # a low-discrepancy sequence, not chance
    return np.asarray(middle + width * np.sqrt(density) * (2 * golden - 1))


def png(figure: Figure, *, dpi: float = RESOLUTION) -> bytes:
    """The figure as PNG; the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
