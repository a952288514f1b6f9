"""Pictures that teach the gate: radiographs turned, inverted, cut, made to look lateral, and pictures of other things.

Real lateral radiographs are rare in open collections, so lateral views are imitated: the two lungs laid over each other
with the mediastinum at one side, drawn out to the width of the image. That is a likeness and no more; how far
it carries to real lateral radiographs has to be measured on some.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.gate.network import SHRINK
from cxrnet.arrays import Float32, UInt8
from cxrnet.data.augment import Augmentation, draw, warp
from cxrnet.imaging.preprocess import equalise
from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS

HALF = tuple(side // 2 for side in GATE_SIZE)
"""Height and width at which pictures are drawn, before they are averaged to what the network sees."""

MOVED = Augmentation(rotation_degrees=10, shift=0.06, shear_degrees=5, zoom=0.15, mirrors_sides=True)
SHARES = {"frontal": 0.45, "lateral": 0.14, "part": 0.11, "other": 0.30}
"""How often each content is drawn."""

UPRIGHT, BRIGHT_BONES = 0.6, 0.7
"""Part of the frontal chests that are not turned, and that are not inverted."""

NOT_ASKED = -1
"""Turn and polarity of a picture for which they mean nothing."""


class Drawn(NamedTuple):
    """One picture: `means` float32 [rows, columns] in 0..255, as the network sees it, and its three answers."""

    means: Float32
    content: int
    turn: int
    inverted: int


def draw_image(xrays: UInt8, others: list[UInt8], *, seed: int, epoch: int, index: int) -> Drawn:
    """Return a picture to learn from; the same for the same numbers.

    Args:
        xrays: Frontal chests, upright with bright bones, uint8 [radiograph, height, width] of the size `HALF`.
        others: Pictures of other things, uint8 [any height, any width].
        seed: Of the training.
        epoch: Number of the epoch.
        index: Number of the picture in the epoch.
    """
    rng = np.random.default_rng((seed, epoch, index))
    content = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    xray = xrays[rng.integers(len(xrays))]
    moved = warp(xray, draw(MOVED, height=HALF[0], width=HALF[1], seed=seed, epoch=epoch, index=index))
    turn = inverted = NOT_ASKED
    match content:
        case "frontal":
            turn = 0 if rng.random() < UPRIGHT else int(rng.integers(1, len(TURNS)))
            inverted = int(rng.random() > BRIGHT_BONES)
            picture = framed(blemished(moved, rng), rng)
            picture = fitted(np.rot90(255 - picture if inverted else picture, turn))
        case "lateral":
            likeness = lateral(moved, rng) if rng.random() < 0.3 else lateral_in_air(moved, rng)
            picture = framed(blemished(likeness, rng), rng)
        case "part":
            picture = part(moved, rng)
        case _:
            picture = other(others, rng)
    return Drawn(means_of(picture), CONTENTS.index(content), turn, inverted)


def means_of(picture: UInt8) -> Float32:
    """Return a picture of the size `HALF` as the network sees it, float32 [rows, columns]."""
    if picture.min() < picture.max():
        picture = equalise(picture)
    side = SHRINK // 2
    rows, columns = (length // side for length in HALF)
    squares = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(squares.mean(axis=(1, 3)), np.float32)


def fitted(picture: UInt8) -> UInt8:
    """Return a picture at the size `HALF`, whatever its aspect ratio was: as radiographs are prepared."""
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), HALF[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def blemished(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Return a radiograph with some of what real ones have: noise, blur, another tone, letters."""
    grey = picture.astype(np.float32) / 255
    grey = grey ** rng.uniform(0.6, 1.6)
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.5, 2.0)).astype(np.float32)
    if rng.random() < 0.3:
        grey = grey + rng.normal(0, rng.uniform(0.01, 0.08), grey.shape).astype(np.float32)
    result = np.clip(grey * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        write(result, rng, words=1)
    return result


def framed(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Return an image with borders of one grey, as collimators and screenshots leave them, in a third of the draws."""
    if rng.random() > 0.35:
        return picture
    height, width = picture.shape
    result = np.full_like(picture, rng.choice((0, 0, 0, 255, int(rng.integers(256)))))
    top, bottom = (int(height * rng.uniform(0, 0.12)) for _ in range(2))
    left, right = (int(width * rng.uniform(0, 0.12)) for _ in range(2))
    inner = (width - left - right, height - top - bottom)
    result[top : height - bottom, left : width - right] = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
    return result


def lateral(xray: UInt8, rng: np.random.Generator) -> UInt8:
    """Return the likeness of a lateral view: both lungs over each other, spine at one side, a heart before it."""
    height, width = xray.shape
    middle = int(width * rng.uniform(0.47, 0.53))
    left, right = xray[:, :middle], xray[:, middle:][:, ::-1]
    share = rng.uniform(0.3, 0.7)
    lung = share * fitted(left).astype(np.float32) + (1 - share) * fitted(right).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    lean = rng.uniform(-0.15, 0.15) * width * (rows / height - 0.5)
    place, thickness = width * rng.uniform(0.75, 0.95), width * rng.uniform(0.04, 0.08)
    band = np.exp(-(((columns - place - lean) / thickness) ** 2))
    bones = 1 + 0.3 * np.sin(rows / height * 2 * np.pi * rng.uniform(8, 13))
    lung += rng.uniform(20, 90) * band * bones
    across, down = width * rng.uniform(0.2, 0.45), height * rng.uniform(0.6, 0.75)
    heart = ((columns - across) / (width * 0.2)) ** 2 + ((rows - down) / (height * 0.18)) ** 2
    lung += rng.uniform(20, 90) / (1 + heart**3)
    front = columns < width * rng.uniform(0.02, 0.12) + lean
    lung[front] *= rng.uniform(0.1, 1)
    picture = np.clip(lung, 0, 255).astype(np.uint8)
    return picture[:, ::-1].copy() if rng.random() < 0.5 else picture


def lateral_in_air(xray: UInt8, rng: np.random.Generator) -> UInt8:
    """Return the likeness of a whole lateral view: a body in air, with one lung between spine, breastbone and belly."""
    height, width = xray.shape
    down, across = (np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]).astype(np.float32)
    across = across + rng.uniform(-0.25, 0.25) * (down - 0.5)  # it leans
    back, front = rng.uniform(0.05, 0.30), rng.uniform(0.75, 0.97)
    sway = rng.uniform(0, 0.06, 2) * np.sin(down[..., None] * np.pi * rng.uniform(0.7, 1.5, 2))
    skin = np.minimum(across - back + sway[..., 0], front + sway[..., 1] - across)
    body = np.clip(skin / rng.uniform(0.01, 0.06), 0, 1) * rng.uniform(150, 240)
    middle = (back + front) / 2 + rng.uniform(-0.04, 0.04)
    top, floor = rng.uniform(0.02, 0.2), rng.uniform(0.6, 0.85)
    dome = floor - rng.uniform(0.02, 0.15) * np.sin(np.clip((across - back) / (front - back), 0, 1) * np.pi)
    dome = dome + rng.uniform(-0.25, 0.25) * (across - middle)
    wide = (front - back) * rng.uniform(0.30, 0.42)
    egg = (
        np.abs((across - middle) / wide) ** 2.5 + np.abs((down - (top + floor) / 2) / ((floor - top) / 2 + 0.15)) ** 2.5
    )
    lung = np.clip((1 - egg) * 4, 0, 1) * np.clip((dome - down) / rng.uniform(0.01, 0.05), 0, 1)
    picture = body * (1 - lung * rng.uniform(0.5, 0.85))
    heart = ((across - middle - 0.1) / 0.17) ** 2 + ((down - dome + 0.1) / 0.17) ** 2
    hilum = ((across - middle) / 0.08) ** 2 + ((down - (top + floor) / 2) / 0.10) ** 2
    shoulder = np.clip(rng.uniform(0.1, 0.35) - down, 0, 1) * 3
    soft = rng.uniform(20, 90) / (1 + heart**3) + rng.uniform(10, 70) / (1 + hilum**2) + 80 * shoulder
    spine = np.exp(-(((across - back - 0.10) / 0.05) ** 2)) * (1 + 0.5 * np.sin(down * 2 * np.pi * rng.uniform(8, 13)))
    grain = xray.astype(np.float32) - cv2.GaussianBlur(xray, (0, 0), 6)
    picture += (soft + rng.uniform(10, 60) * spine + rng.uniform(0.4, 1.2) * grain) * (body > 40)
    grey: UInt8 = np.clip(picture, 0, 255).astype(np.uint8)
    return grey[:, ::-1].copy() if rng.random() < 0.5 else grey


def part(xray: UInt8, rng: np.random.Generator) -> UInt8:
    """Return a part of a radiograph, a tenth to two fifths of it, drawn out to the whole size."""
    height, width = xray.shape
    share, stretch = rng.uniform(0.10, 0.40), np.exp(rng.uniform(-0.5, 0.5))
    rows = int(np.clip(height * np.sqrt(share) * stretch, 16, height))
    columns = int(np.clip(width * np.sqrt(share) / stretch, 16, width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    return fitted(xray[top : top + rows, left : left + columns])


def other(others: list[UInt8], rng: np.random.Generator) -> UInt8:
    """Return something else than a chest: a piece of a picture, or a drawn page, noise, shapes, a phantom."""
    kind = rng.choice(("picture", "page", "noise", "shapes", "limb", "slice"), p=(0.55, 0.09, 0.09, 0.09, 0.09, 0.09))
    if kind == "picture" and others:
        picture = others[rng.integers(len(others))]
        height, width = picture.shape
        scale = rng.uniform(0.35, 1)
        rows, columns = max(16, int(height * scale)), max(16, int(width * scale * rng.uniform(0.8, 1)))
        top, left = rng.integers(max(1, height - rows)), rng.integers(max(1, width - columns))
        picture = np.rot90(picture[top : top + rows, left : left + columns], int(rng.integers(4)))
        picture = fitted(picture)
        picture = picture[:, ::-1].copy() if rng.random() < 0.5 else picture
        return 255 - picture if rng.random() < 0.3 else blemished(picture, rng)
    blank = np.full(HALF, rng.choice((0, 255, 200, 30)), np.uint8)
    match kind:
        case "noise":
            return noise(rng)
        case "shapes":
            return shapes(blank, rng)
        case "limb":
            return limb(rng)
        case "slice":
            return axial(rng)
        case _:
            write(blank, rng, words=int(rng.integers(20, 120)))
            return blank


def write(picture: UInt8, rng: np.random.Generator, *, words: int) -> None:
    """Write random letters into a picture."""
    height, width = picture.shape
    grey = int(255 - picture[0, 0]) if words > 1 else int(rng.choice((0, 255)))
    size = float(rng.uniform(0.25, 0.7))
    for _ in range(words):
        letters = "".join(map(chr, rng.integers(65, 91, rng.integers(1, 9))))
        place = (int(rng.integers(-5, width - 10)), int(rng.integers(8, height)))
        cv2.putText(picture, letters, place, cv2.FONT_HERSHEY_SIMPLEX, size, grey, 1, cv2.LINE_AA)


def noise(rng: np.random.Generator) -> UInt8:
    """Return noise of a random coarseness, with or without a slope, waves, or dots."""
    if rng.random() < 0.4:
        down, across = np.mgrid[0 : HALF[0], 0 : HALF[1]]
        waves = np.sin(across / rng.uniform(1, 30) + rng.uniform(-1, 1) * down / rng.uniform(1, 30))
        clouds = cv2.GaussianBlur(rng.normal(size=HALF), (0, 0), rng.uniform(1, 20))
        dots = rng.random(HALF) < rng.uniform(0.01, 0.5)
        field = (waves, clouds / max(float(np.abs(clouds).max()), 1e-6), 2.0 * dots - 1)[rng.integers(3)]
        return np.asarray(np.clip(128 + 127 * field, 0, 255), np.uint8)
    coarse = int(rng.choice((1, 1, 2, 4, 8, 16, 32)))
    rows, columns = (-(-side // coarse) for side in HALF)
    field = fitted(rng.integers(0, 256, (rows, columns), dtype=np.uint8))
    slope = np.linspace(0, rng.uniform(-1, 1), HALF[0])[:, None] * 255 * (rng.random() < 0.4)
    return np.clip(field + slope, 0, 255).astype(np.uint8)


def shapes(blank: UInt8, rng: np.random.Generator) -> UInt8:
    """Return bars, discs and lines on one grey."""
    height, width = blank.shape
    for _ in range(rng.integers(2, 25)):
        across, down = int(rng.integers(width)), int(rng.integers(height))
        far = (int(rng.integers(width)), int(rng.integers(height)))
        grey, thick = int(rng.integers(256)), int(rng.choice((-1, 1, 3)))
        match rng.integers(3):
            case 0:
                cv2.rectangle(blank, (across, down), far, grey, thick)
            case 1:
                cv2.circle(blank, (across, down), int(rng.integers(4, 60)), grey, thick)
            case _:
                cv2.line(blank, (across, down), far, grey, int(rng.integers(1, 6)))
    return blank


def limb(rng: np.random.Generator) -> UInt8:
    """Return a likeness of a radiograph of a limb or hand: bright shafts in a softer shape, on dark or on bright."""
    height, width = HALF
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    field = np.zeros(HALF, np.float32)
    bend = rng.uniform(-0.3, 0.3)
    for _ in range(rng.integers(1, 6)):
        place, thick = width * rng.uniform(0.2, 0.8), width * rng.uniform(0.02, 0.10)
        line = place + bend * (rows - height / 2) + rng.uniform(0, 12) * np.sin(rows / height * np.pi)
        away = np.abs(columns - line) / thick
        shaft = np.clip(1.5 - away, 0, 1) + 0.5 * ((away > 0.7) & (away < 1.2))
        field = np.maximum(field, shaft + 0.4 * np.clip(2.2 - away / 1.6, 0, 1))
    field += 0.05 * rng.normal(size=HALF).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), rng.uniform(0.5, 2)).astype(np.float32)
    picture = np.clip(field / max(float(field.max()), 1e-6) * 255, 0, 255).astype(np.uint8)
    picture = fitted(np.rot90(picture, int(rng.integers(4))))
    return 255 - picture if rng.random() < 0.3 else picture


def axial(rng: np.random.Generator) -> UInt8:
    """Return the likeness of an axial slice: a body on black, with dark or bright organs, a spine and a table."""
    height, width = HALF
    picture = np.full(HALF, int(rng.choice((0, 0, 10, 255))), np.float32)
    centre = (width // 2 + int(rng.integers(-10, 11)), height // 2 + int(rng.integers(-10, 11)))
    body = (int(width * rng.uniform(0.3, 0.48)), int(height * rng.uniform(0.25, 0.45)))
    cv2.ellipse(picture, centre, body, 0, 0, 360, float(rng.uniform(90, 220)), -1)
    cv2.ellipse(picture, centre, body, 0, 0, 360, float(rng.uniform(150, 255)), int(rng.integers(1, 6)))
    organ = float(rng.choice((10, 20, 120, 250)))
    for side in (-1, 1):
        place = (centre[0] + side * int(body[0] * rng.uniform(0.4, 0.55)), centre[1] + int(rng.integers(-8, 4)))
        size = (int(body[0] * rng.uniform(0.25, 0.4)), int(body[1] * rng.uniform(0.4, 0.75)))
        cv2.ellipse(picture, place, size, side * float(rng.uniform(0, 20)), 0, 360, organ, -1)
    cv2.circle(picture, (centre[0], centre[1] + int(body[1] * 0.7)), int(rng.integers(5, 14)), 250.0, -1)
    if rng.random() < 0.5:
        cv2.line(picture, (20, height - 8), (width - 20, height - 8), 200.0, 2)
    picture += rng.normal(0, rng.uniform(1, 14), HALF)
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.5))
    return np.clip(soft, 0, 255).astype(np.uint8)
