"""What the gate refuses: frontal radiographs, which it should not, and everything else, which it should.

    python -m benchmarks.gate.pictures --out pictures
    python -m benchmarks.gate.evaluate --manifest xrays.csv --where split=val --pictures pictures/test [--laterals DIR]

The other images are made from the images (inverted, turned, parts) and from pictures, pages, noise and slices. None of
them has been trained on where the pictures are those that `pictures.py` keeps for the proof.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cxrnet import Pipeline, Radiograph, RadiographError
from cxrnet.bench.record import BenchmarkRecord, Row
from cxrnet.data.manifest import Columns, parse_where, read_manifest
from cxrnet.screening.options import DEFAULT_BUNDLE

RIGHT = {
    "inverted": {"INVERTED"},
    "rotated": {"ROTATED"},
    "inverted and rotated": {"INVERTED", "ROTATED"},
    "partial chest": {"LUNG_AREA"},
    "lateral view, real": {"LATERAL"},
    "few grey levels": {"LOW_CONTRAST"},
}
"""Kind -> codes of which one is right; of all others NOT_CHEST or UNLIKE_TRAINING is."""

FRONTAL = "frontal radiograph"
ELSE = {"NOT_CHEST", "UNLIKE_TRAINING"}
SPOILT = 90
"""About so many radiographs are made wrong."""

SIDE = 64
"""Smaller pictures are not screened at all."""

Grey = NDArray[np.uint8]
WORDS = ("lungs", "are", "clear", "heart", "size", "normal", "without", "effusion", "or", "pneumothorax", "examination")


def spoilt(xrays: list[Grey]) -> Iterator[tuple[str, Grey]]:
    """Yield radiographs made wrong, as (kind, image)."""
    for index, xray in enumerate(xrays):
        height, width = xray.shape
        turn = 1 + index % 3
        yield "inverted", 255 - xray
        yield "rotated", np.ascontiguousarray(np.rot90(xray, turn))
        if index % 3 == 0:
            yield "inverted and rotated", np.ascontiguousarray(np.rot90(255 - xray, turn))
            top, left = (height // 2, 0) if index % 2 else (0, int(width * 0.55))
            yield "partial chest", xray[top:, :] if index % 2 else xray[: int(height * 0.8), left:]
            yield "few grey levels", (118 + xray // 20).astype(np.uint8)


def pages(rng: np.random.Generator, count: int) -> Iterator[tuple[str, Grey]]:
    """Yield pages of text, as (kind, image)."""
    for _ in range(count):
        page = Image.new("L", (340, 420), int(rng.choice((255, 240, 0))))
        ink = 0 if page.getpixel((0, 0)) else 255
        size = int(rng.integers(9, 22))
        font = ImageFont.load_default(size)
        for row in range(int(rng.integers(6, 420 // (size + 4)))):
            line = " ".join(rng.choice(WORDS, int(rng.integers(2, 12))))
            ImageDraw.Draw(page).text((12, 8 + row * (size + 4)), line, ink, font)
        yield "page of text", np.asarray(page)


def noises(rng: np.random.Generator, count: int) -> Iterator[tuple[str, Grey]]:
    """Yield noise of several kinds, as (kind, image)."""
    for index in range(count):
        match index % 5:
            case 0:
                field = rng.normal(128, rng.uniform(10, 60), (300, 340))
            case 1:
                field = rng.random((300, 340)) * 255
            case 2:
                field = cv2.GaussianBlur(rng.normal(0, 1, (300, 340)), (0, 0), rng.uniform(2, 25)) * 2000 + 128
            case 3:
                field = 128 + 100 * np.sin(np.arange(340)[None] / rng.uniform(2, 40) + np.arange(300)[:, None] / 9)
            case _:
                field = (rng.random((300, 340)) < rng.uniform(0.02, 0.5)) * 255.0
        yield "noise, waves, dots", np.clip(field, 0, 255).astype(np.uint8)


def pieces(folder: Path, rng: np.random.Generator, each: int) -> Iterator[tuple[str, Grey]]:
    """Yield each picture, and pieces of it, as (kind, image)."""
    for path in sorted(folder.rglob("*.png")):
        kind = {"photographs": "photograph, drawing, micrograph", "volumes": "brain slice"}.get(
            path.stem.split("_")[0], "CT, MR and ultrasound, a leg"
        )
        picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        height, width = picture.shape
        if min(height, width) < SIDE:
            continue
        yield kind, picture
        for _ in range(each - 1):
            scale = rng.uniform(0.5, 0.95)
            rows, columns = max(SIDE, int(height * scale)), max(SIDE, int(width * scale))
            top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
            yield (
                kind,
                np.ascontiguousarray(np.rot90(picture[top : top + rows, left : left + columns], rng.integers(4))),
            )


def count(pipeline: Pipeline, images: Iterator[tuple[str, Radiograph]]) -> dict[str, Counter[str]]:
    """Return, for each kind, how many there are, what became of them, and the codes that were given."""
    counts: dict[str, Counter[str]] = {}
    for kind, image in images:
        counted = counts.setdefault(kind, Counter())
        counted["n"] += 1
        try:
            finding = pipeline.screen(image)
        except RadiographError:
            counted["unreadable"] += 1
            continue
        codes = {reason.code for reason in finding.reasons}
        counted["refused" if finding.status == "refused" else "warned" if codes else "scored"] += 1
        counted["right"] += bool(codes & RIGHT.get(kind, ELSE))
        counted.update(codes)
    return counts


def images(pipeline: Pipeline, options: argparse.Namespace) -> Iterator[tuple[str, Radiograph]]:
    """Yield everything that is screened, as (kind, image)."""
    rng = np.random.default_rng(0)
    manifest = read_manifest(options.manifest, columns=Columns(), where=parse_where(options.where))
    read = [pipeline.read(path) for path in dict.fromkeys(sample.image for sample in manifest.samples)]
    yield from ((FRONTAL, radiograph) for radiograph in read)
    few = [np.asarray(radiograph.pixels, np.uint8) for radiograph in read[:: max(1, len(read) // SPOILT)]]
    made = chain(spoilt(few), pages(rng, 40), noises(rng, 40), pieces(options.pictures, rng, 4))
    yield from ((kind, Radiograph.from_array(image)) for kind, image in made)
    if options.laterals:
        yield from (("lateral view, real", pipeline.read(path)) for path in sorted(options.laterals.iterdir()))


def table(counts: dict[str, Counter[str]]) -> list[Row]:
    """Return one row per kind; no reason is the right one for a frontal radiograph."""
    columns = ("n", "refused", "warned", "scored", "unreadable", "right")
    rows: list[Row] = []
    for kind, counted in counts.items():
        codes = ", ".join(f"{code} {number}" for code, number in sorted(counted.items()) if code.isupper())
        row: Row = {"kind": kind, **{name: counted[name] for name in columns}, "codes": codes}
        rows.append(row | {"right": None} if kind == FRONTAL else row)
    return rows


def show(rows: list[Row]) -> None:
    """Print the table."""
    columns = ("kind", "n", "refused", "warned", "scored", "right", "codes")
    for row in ({name: name for name in columns}, *rows):
        cells = ["" if row[name] is None else str(row[name]) for name in columns]
        print(f"{cells[0]:<24}{''.join(f'{cell:>9}' for cell in cells[1:-1])}  {cells[-1]}")


def main() -> int:
    """Screen all of them, and print what was refused, warned of and scored."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--laterals", type=Path, help="folder of real lateral views")
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Pipeline.load(options.bundle) as pipeline:
        counts = count(pipeline, images(pipeline, options))
    rows = table(counts)
    show(rows)
    if options.json:
        command = f"python -m benchmarks.gate.evaluate --where {' '.join(options.where)} --bundle {options.bundle}"
        BenchmarkRecord(command=command, rows=tuple(rows)).write(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
