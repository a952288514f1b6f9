"""The pictures of the paper: wavelets, scattering coefficients, masks and heat maps. Needs matplotlib."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cxrnet.arrays import AnyArray, Float32, Float64, UInt8
from cxrnet.model.config import ScatteringConfig
from cxrnet.nn.scattering import Path, Scattering, gabor, morlet, reflect
from cxrnet.plots.cases import Case
from cxrnet.plots.chart import INK, in_style, picture_grid
from cxrnet.screening.finding import Finding
from cxrnet.screening.heatmap import first_minus_second
from cxrnet.screening.panel.tile import class_tile, difference_tile, fit_view, radiograph_tile, view_of

_TILE = (300, 340)
_MODULUS, _AVERAGE = "#c0392b", "#2471a3"
"""Colours of the frames in Fig. 2b."""


@in_style
def draw_wavelets(config: ScatteringConfig) -> Figure:
    """Draw the wavelets by scale and angle, hue for phase and brightness for magnitude, and the averaging filter."""
    figure, axes = picture_grid(1.5 * config.L, 1.7 * (config.J + 1), rows=config.J + 1, columns=config.L)
    for scale in range(config.J):
        for angle in range(config.L):
            wave = morlet(config.L, angle, scale)
            _show(axes[scale * config.L + angle], _phases(_middle(wave)), f"scale {scale}, angle {angle}")
    average = gabor(0.8 * 2 ** (config.J - 1), 0.0, 0.0, 1.0).real
    _show(axes[config.J * config.L], _middle(average), "average", cmap="gray")
    return figure


def _middle(kernel: AnyArray) -> AnyArray:
    """Return the 30 x 34 pixels around the centre, the size of the paper's drawing."""
    row, column = (length // 2 for length in kernel.shape)
    return kernel[max(row - 15, 0) : row + 15, max(column - 17, 0) : column + 17]


def _phases(wave: AnyArray) -> Float64:
    magnitude = np.abs(wave) / np.abs(wave).max()
    hue = (np.angle(wave) / (2 * np.pi)) % 1
    return np.asarray(hsv_to_rgb(np.stack([hue, np.ones_like(hue), np.sqrt(magnitude)], axis=-1)))


@in_style
def draw_scattering(image: UInt8, coefficients: Float32, mask: Float32, paths: Sequence[Path]) -> Figure:
    """Draw an image, uint8 [height, width], its coefficients [channel, rows, columns], and the lung mask in [0, 1]."""
    columns = 9
    rows = -(-(len(coefficients) + 2) // columns)
    figure, axes = picture_grid(1.35 * columns, 1.4 * rows, rows=rows, columns=columns)
    _show(axes[0], image, "image", cmap="gray")
    for one, channel, path in zip(axes[1:], coefficients, paths, strict=False):
        words = " ".join(f"{scale},{angle}" for scale, angle in zip(path.scales, path.angles, strict=True))
        brightest = np.percentile(channel, 99.5)  # markers and edges would leave the rest black
        _show(one, channel, words or "order 0", cmap="gray", vmax=brightest)
    _show(axes[len(coefficients) + 1], mask, "lung mask", cmap="gray", vmin=0, vmax=1)
    return figure


@in_style
def draw_scattering_tree(image: UInt8, config: ScatteringConfig) -> Figure:
    """Draw the tree of the transform for the finest wavelets: moduli with red frames, their averages with blue ones.

    It has two or more scales.
    """
    transform = Scattering(config)
    padded = reflect(torch.from_numpy(image.astype(np.float32))[None, None] / 255, 2**config.J)
    first = transform.modulus(padded, 0, 0)
    strongest = int(first.mean(dim=(2, 3)).argmax())
    second = transform.modulus(first[:, strongest : strongest + 1], 1, 0)
    figure, axes = picture_grid(1.5 * (config.L + 1), 8.0, rows=5, columns=config.L + 1)
    rows = [axes[start : start + config.L + 1] for start in range(0, len(axes), config.L + 1)]
    _show(rows[0][0], image, "image x", cmap="gray")
    _framed(rows[0][1], transform.average(padded, 0)[0, 0], "order 0", _AVERAGE)
    for moduli, level, top, order in ((first, 0, 1, 1), (second, 1, 3, 2)):
        averaged = transform.average(moduli, level)
        of = "x" if order == 1 else f"|x * psi(0,{strongest})|"
        for angle in range(config.L):
            title = f"|{of} * psi({order - 1},{angle})|" if order == 1 else f"psi(1,{angle})"
            _framed(rows[top][angle + 1], _inside(moduli[0, angle], image, level), title, _MODULUS)
            _framed(rows[top + 1][angle + 1], averaged[0, angle], f"order {order}", _AVERAGE)
        _framed(rows[top][0], image if order == 1 else _inside(first[0, strongest], image, 0), of, INK)
    return figure


def _inside(plane: Tensor, image: UInt8, level: int) -> Tensor:
    """Return what lies in the image, of a plane [rows, columns] of the padded image sampled each 2^level pixels."""
    sides = [length >> level for length in image.shape]
    starts = [(whole - side) // 2 for whole, side in zip(plane.shape, sides, strict=True)]
    return plane[starts[0] : starts[0] + sides[0], starts[1] : starts[1] + sides[1]]


def _framed(axes: Axes, plane: Tensor | UInt8, title: str, colour: str) -> None:
    values = np.asarray(plane)
    _show(axes, values, title, cmap="gray", vmax=np.percentile(values, 99.5))
    height, width = values.shape
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=colour, linewidth=2, clip_on=False))


@in_style
def draw_masks(views: Sequence[Case], captions: Sequence[str]) -> Figure:
    """Draw images in rows: the radiograph, the annotator's mask and the model's mask at 0.5."""
    figure, axes = picture_grid(7.2, 2.2 * len(views), rows=len(views), columns=3)
    for row, (view, caption) in enumerate(zip(views, captions, strict=True)):
        left, middle, right = axes[3 * row : 3 * row + 3]
        _show(left, view.image, caption, cmap="gray", vmin=0, vmax=255)
        _show(middle, view.truth, "annotator" if row == 0 else "", cmap="gray", vmin=0, vmax=1)
        _show(right, view.predicted, "model" if row == 0 else "", cmap="gray", vmin=0, vmax=1)
    return figure


@in_style
def draw_probabilities(findings: Sequence[Finding], captions: Sequence[str]) -> Figure:
    """Draw radiographs side by side with their lung probability, two pairs a row."""
    figure, axes = picture_grid(9.0, 2.1 * -(-len(findings) // 2), rows=-(-len(findings) // 2), columns=4)
    for index, (finding, caption) in enumerate(zip(findings, captions, strict=True)):
        assert finding.lung_probability is not None
        tile = fit_view(view_of(finding), _TILE)
        _show(axes[2 * index], tile.pixels, caption)
        _show(axes[2 * index + 1], finding.lung_probability, "", cmap="gray", vmin=0, vmax=1)
    return figure


@in_style
def draw_heat_maps(findings: Sequence[Finding], captions: Sequence[str]) -> Figure:
    """Draw scored images in rows: lungs, the heat map of each class, and their difference where there are two."""
    tiles = [_tiles(finding) for finding in findings]
    columns = len(tiles[0])
    figure, axes = picture_grid(2.5 * columns, 2.4 * len(findings), rows=len(findings), columns=columns)
    for row, (finding, caption) in enumerate(zip(findings, captions, strict=True)):
        titles = [caption, *(f"{name} {score:.3f}" for name, score in finding.scores.items()), "difference"]
        for one, tile, title in zip(axes[row * columns : (row + 1) * columns], tiles[row], titles, strict=False):
            _show(one, tile, title)
    return figure


def _tiles(finding: Finding) -> list[UInt8]:
    assert finding.heatmaps is not None
    view = fit_view(view_of(finding), _TILE)
    maps = finding.heatmaps.maps()
    tiles = [radiograph_tile(view)]
    tiles += [class_tile(view, one, score=finding.scores[name]) for name, one in maps.items()]
    difference = first_minus_second(maps)
    if difference is not None:
        first, second = finding.scores.values()
        tiles.append(difference_tile(view, difference, distance=abs(first - second)))
    return tiles


def _show(axes: Axes, image: AnyArray, title: str, **options: Any) -> None:
    axes.imshow(image, **options)
    axes.set_title(title, loc="center", fontsize=7.5, fontweight="normal", color=INK)
