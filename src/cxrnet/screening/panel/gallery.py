"""The row of tiles: the radiograph, a heat map per class and their difference, each with title and fixed scale."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.screening.finding import Finding
from cxrnet.screening.heatmap import first_minus_second
from cxrnet.screening.panel.canvas import BODY, MARGIN, WIDTH, Canvas
from cxrnet.screening.panel.colour import DIVERGING, OUTLINE, QUIET, RULE, SEQUENTIAL
from cxrnet.screening.panel.text import score_text, text_width
from cxrnet.screening.panel.tile import (
    Size,
    View,
    class_tile,
    difference_tile,
    fit_view,
    in_frame,
    radiograph_tile,
)

_COLUMNS: Final = 4
_GAP: Final = 24
TILE: Final = (WIDTH - 2 * MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS
_TITLE: Final = 40
_LEGEND: Final = 82
_CAPTION: Final = 72
_LINE: Final = 28
_FLATTEST, _TALLEST = 0.7, 1.3  # proportions of a tile; a radiograph beyond them gets a frame

_CAPTION_TEXT: Final = (
    "Grad-CAM maps, scaled within the lungs. "
    "Map opacity follows the score, 50 % at most: a class that scores near 0 shows almost no map."
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What stands under a map: its colours and the words at the two ends."""

    colours: UInt8  # uint8 [256, 3], RGB
    ticks: tuple[str, str, str]  # labels at the left end, in the middle and at the right end
    ends: tuple[str, str]  # what a low value and what a high value mean


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One picture of the row, uint8 [height, width, 3], with its words; without a scale it is the radiograph."""

    picture: UInt8
    title: str
    value: str = ""
    scale: Scale | None = None


def tile_height(size: Size) -> float:
    """Height of a tile for a radiograph of this height and width."""
    return TILE * min(max(size[0] / size[1], _FLATTEST), _TALLEST)


def draw_gallery(finding: Finding, view: View) -> UInt8:
    """The tiles of a scored image, uint8 [height, width, 3]; four in a row."""
    high = tile_height(view.size)
    room = round(high), round(TILE)
    tiles = _tiles(finding, view, fit_view(view, room))
    row_height = _TITLE + high + _LEGEND
    rows = -(-len(tiles) // _COLUMNS)
    canvas = Canvas(rows * row_height + _CAPTION)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, _COLUMNS)
        _draw_tile(canvas, tile, room, MARGIN + column * (TILE + _GAP), row * row_height, high)
    lines = "Lines ring what is above 0.75"
    if len(finding.scores) == 2:
        lines += "; in the difference solid above +0.5, dashed below -0.5"
    for line, words in enumerate((_CAPTION_TEXT, f"{lines}.")):
        baseline = rows * row_height + 12 + _LINE * line
        canvas.text(words, MARGIN, baseline, colour=QUIET, room=WIDTH - 2 * MARGIN)
    return canvas.pixels


def _tiles(finding: Finding, view: View, fitted: View) -> list[Tile]:
    assert finding.heatmaps is not None  # a scored finding has them
    maps = finding.heatmaps.maps(*view.size)
    scale = Scale(colours=SEQUENTIAL, ticks=("0", "0.5", "1"), ends=("weakest", "strongest"))
    tiles = [Tile(picture=radiograph_tile(fitted), title="Radiograph")]
    for name, score in finding.scores.items():
        picture = class_tile(fitted, maps[name], score=score)
        tiles.append(Tile(picture=picture, title=name, value=f"score {score_text(score)}", scale=scale))
    difference = first_minus_second(maps)
    if difference is not None:
        first, second = finding.scores
        picture = difference_tile(fitted, difference, distance=abs(finding.scores[first] - finding.scores[second]))
        scale = Scale(colours=DIVERGING, ticks=("-1", "0", "+1"), ends=(second, first))
        tiles.append(Tile(picture=picture, title="Difference", scale=scale))
    return tiles


def _draw_tile(canvas: Canvas, tile: Tile, room: Size, left: float, top: float, high: float) -> None:
    canvas.text(tile.title, left, top + 26, size=BODY, room=TILE - text_width(tile.value, BODY) - 16)
    canvas.text(tile.value, left + TILE, top + 26, size=BODY, align="right")
    canvas.paste(in_frame(tile.picture, room), left, top + _TITLE)
    under = top + _TITLE + high + 14
    if tile.scale is None:
        draw_outline_key(canvas, left, under)
    else:
        _draw_scale(canvas, tile.scale, left, under)


def draw_outline_key(canvas: Canvas, left: float, top: float) -> None:
    """Say what the line on the radiograph is."""
    canvas.box(left, top + 6, 36, 3, OUTLINE)
    canvas.text("lungs, as found by the model", left + 50, top + 14, colour=QUIET)


def _draw_scale(canvas: Canvas, scale: Scale, left: float, top: float) -> None:
    columns = np.linspace(0, 255, round(TILE)).astype(np.uint8)
    bar = np.broadcast_to(scale.colours[columns], (14, len(columns), 3))
    canvas.paste(bar, left, top)
    canvas.box(left + TILE / 2 - 1, top + 14, 2, 5, RULE)
    low, middle, high = scale.ticks
    low_end, high_end = scale.ends
    canvas.text(f"{low}  {low_end}", left, top + 38, colour=QUIET, room=TILE / 2 - 24)
    canvas.text(middle, left + TILE / 2, top + 38, colour=QUIET, align="centre")
    canvas.text(f"{high_end}  {high}", left + TILE, top + 38, colour=QUIET, align="right", room=TILE / 2 - 24)
