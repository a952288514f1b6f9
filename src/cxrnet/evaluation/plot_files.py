"""Plots as files: each as PNG, as SVG, and the numbers behind it as CSV. Needs matplotlib."""

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from cxrnet.atomic import write_atomic
from cxrnet.plots.chart import in_style, png

Rows = Sequence[Sequence[Any]]


class Plot(NamedTuple):
    """A plot: its file `name` without ending, the `caption`, the `figure`, and the `rows` behind it, a header first."""

    name: str
    caption: str
    figure: Figure
    rows: Rows


def write_plots(plots: Iterable[Plot], out: Path) -> list[dict[str, str]]:
    """Write NAME.png, .svg and .csv of each plot; return `name`, `caption` and `data` (PNG in base64) of each."""
    pictures = []
    for plot in plots:
        picture = png(plot.figure)
        write_atomic(out / f"{plot.name}.png", picture)
        write_atomic(out / f"{plot.name}.svg", _svg(plot.figure))
        write_atomic(out / f"{plot.name}.csv", csv_table(plot.rows))
        pictures.append({"name": plot.name, "caption": plot.caption, "data": base64.b64encode(picture).decode()})
    return pictures


@in_style
def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def csv_table(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return rows, a header first, as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
