"""The score strip: an axis from 0 to 1 with the ensemble as a diamond on its interval, and every fold as a dot."""

from collections.abc import Sequence
from typing import Final

from cxrnet.arrays import UInt8
from cxrnet.screening.finding import Finding
from cxrnet.screening.panel.canvas import BODY, MARGIN, TITLE, WIDTH, Canvas
from cxrnet.screening.panel.colour import BACKGROUND, FOLD, QUIET, RULE, TEXT
from cxrnet.screening.panel.text import score_text

_LEFT: Final = 300
_RIGHT: Final = 1180
_VALUES: Final = 1230
_ROW: Final = 108
_HEADING: Final = 36
_TICKS: Final = 44
_TICK_LABELS: Final = {0.0: "0", 0.25: "0.25", 0.5: "0.5", 0.75: "0.75", 1.0: "1"}
_RADIUS: Final = 5
_RIM: Final = 1
_SPACING: Final = 2 * (_RADIUS + _RIM)  # closer dots than this are stacked
_STACK: Final = 60  # room above the axis for the middles of the dots of a stack


def draw_score_axis(finding: Finding) -> UInt8:
    """The scores with their folds, uint8 [height, width, 3]; one axis for two classes, whose sum is 1."""
    names = list(finding.scores)
    shown = names[:1] if len(names) == 2 else names
    canvas = Canvas(_HEADING + _ROW * len(shown) + _TICKS)
    _draw_heading(canvas)
    for row, name in enumerate(shown):
        axis = _HEADING + _ROW * (row + 1) - 14
        _draw_axis(canvas, axis)
        _draw_interval(canvas, finding.interval.get(name), axis=axis)
        _draw_row(canvas, name, finding.scores[name], finding.folds[name], axis=axis)
    for score, label in _TICK_LABELS.items():
        canvas.text(label, _place(score), axis + 40, colour=QUIET, align="centre")
    return canvas.pixels


def stack_levels(scores: Sequence[float], spacing: float) -> list[int]:
    """The level of each score in a stack, the lowest on which it keeps `spacing` from all others."""
    levels = [0] * len(scores)
    last_on: list[float] = []
    for index in sorted(range(len(scores)), key=lambda index: scores[index]):
        free = (level for level, last in enumerate(last_on) if scores[index] - last >= spacing)
        levels[index] = level = next(free, len(last_on))
        last_on[level : level + 1] = [scores[index]]
    return levels


def folds_text(folds: Sequence[float]) -> str:
    """How many folds there are and how far apart, such as `6 folds, 0.81 to 0.99`."""
    if len(folds) == 1:
        return f"1 fold, {score_text(folds[0])}"
    low, high = score_text(min(folds)), score_text(max(folds))
    spread = f"all {low}" if low == high else f"{low} to {high}"
    return f"{len(folds)} folds, {spread}"


def _place(score: float) -> float:
    return _LEFT + min(max(score, 0.0), 1.0) * (_RIGHT - _LEFT)


def _draw_heading(canvas: Canvas) -> None:
    canvas.text("Score", MARGIN, 28, size=BODY)
    _draw_diamond(canvas, _VALUES + 12, 21)
    canvas.text("ensemble", _VALUES + 34, 28, colour=QUIET)
    _draw_dot(canvas, _VALUES + 162, 21)
    canvas.text("one fold each", _VALUES + 178, 28, colour=QUIET)


def _draw_axis(canvas: Canvas, axis: float) -> None:
    canvas.box(_LEFT, axis - 1, _RIGHT - _LEFT, 2, RULE)
    for score in _TICK_LABELS:
        canvas.box(_place(score) - 1, axis - 7, 2, 14, RULE)


def _draw_interval(canvas: Canvas, interval: tuple[float, float] | None, *, axis: float) -> None:
    """A bar on the axis from end to end of the interval over the folds."""
    if interval is not None:
        low, high = map(_place, interval)
        canvas.box(low - 2, axis - 4, high - low + 4, 8, FOLD)


def _draw_row(canvas: Canvas, name: str, score: float, folds: Sequence[float], *, axis: float) -> None:
    canvas.text(name, MARGIN, axis + 8, size=BODY, room=_LEFT - MARGIN - 40)
    levels = stack_levels(folds, _SPACING / (_RIGHT - _LEFT))
    step = min(_SPACING, _STACK / max(1, *levels))
    for fold, level in zip(folds, levels, strict=True):
        _draw_dot(canvas, _place(fold), axis - 24 - step * level)
    _draw_diamond(canvas, _place(score), axis)
    canvas.text(score_text(score), _VALUES, axis - 22, size=TITLE)
    canvas.text(folds_text(folds), _VALUES, axis + 8, colour=QUIET, room=WIDTH - MARGIN - _VALUES)


def _draw_dot(canvas: Canvas, x: float, y: float) -> None:
    canvas.dot(x, y, _RADIUS + _RIM, BACKGROUND)
    canvas.dot(x, y, _RADIUS, FOLD)


def _draw_diamond(canvas: Canvas, x: float, y: float) -> None:
    for half, colour in ((15, BACKGROUND), (12, TEXT)):
        canvas.polygon([(x - half, y), (x, y - half), (x + half, y), (x, y + half)], colour)
