"""Label maps of right lung, left lung and heart from two masks of an image: lungs with and without the heart shadow.

    python benchmarks/heart_masks.py --manifest images.csv --out maps

reads a manifest in which images have a row of each `mask_style`, `heart_included` and `heart_excluded`, both drawn by
the same people (`--where mask_source=...` chooses), and writes `maps/images.csv` with label maps: 0 background, 1 right
lung, 2 left lung, 3 heart. `cxrnet train segmenter` reads them with

    segmenter: {classes: [background, right lung, left lung, heart]}

The lungs are those without the heart, the right one on the left of the picture (PA and AP views, upright). The heart is
what the other mask has in addition, filled across the spine in rows that have a part on both sides. So it is rough: it
holds the vessels above the heart, and ends at the diaphragm where the lungs do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from cxrnet.arrays import Bool, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.manifest import Sample, parse_where, read_manifest, relative, write_manifest
from cxrnet.data.masks import encode_png, read_mask
from cxrnet.data.reading import read_many
from cxrnet.imaging import Decoder
from cxrnet.node.objects.geometry import parts_by_side

STYLES = ("heart_included", "heart_excluded")
RIGHT_LUNG, LEFT_LUNG, HEART = 1, 2, 3


def label_map(with_heart: Bool, without: Bool) -> UInt8 | None:
    """Return the classes of one image, uint8 [height, width]; None where its lungs cannot be separated.

    Args:
        with_heart: bool [height, width], lungs and what the heart covers of them.
        without: bool [height, width], the lungs that can be seen.
    """
    sides = parts_by_side(without)
    if set(sides) != {"left", "right"}:
        return None
    heart = with_heart & ~without
    middle = (np.nonzero(sides["left"])[1].mean() + np.nonzero(sides["right"])[1].mean()) / 2
    columns = np.arange(heart.shape[1])
    for row in heart:
        before, behind = columns[row & (columns < middle)], columns[row & (columns >= middle)]
        if before.size and behind.size:
            row[before.max() : behind.min()] = True
    labels = np.where(heart, np.uint8(HEART), np.uint8(0))
    labels[sides["left"]], labels[sides["right"]] = RIGHT_LUNG, LEFT_LUNG
    return labels


def main() -> None:
    """Write the label maps and their manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE")
    given = parser.parse_args()
    manifest = read_manifest(given.manifest, where=parse_where(given.where))
    found: dict[Path, dict[str, Sample]] = {}
    for sample in manifest.samples:
        found.setdefault(sample.image, {}).setdefault(sample.values["mask_style"], sample)
    pairs = [styles for styles in found.values() if set(styles) == set(STYLES)]

    def convert(decoder: Decoder, styles: dict[str, Sample]) -> dict[str, str] | None:
        included, excluded = (read_mask(decoder, styles[style].mask or Path()).lung > 127 for style in STYLES)
        labels, sample = label_map(included, excluded), styles[STYLES[1]]
        if labels is None:
            print(f"{sample.image.name}: lungs touch, or one is missing; left out", file=sys.stderr)
            return None
        path = given.out / "masks" / f"{sample.image.stem}.png"
        write_atomic(path, encode_png(labels))
        return {**sample.values, "image": relative(sample.image, given.out), "mask": relative(path, given.out)}

    rows = [row for row in read_many(convert, pairs) if row is not None]
    write_manifest(given.out / "images.csv", manifest.fields, rows)
    print(f"{given.out / 'images.csv'}: {len(rows)} images of {len(pairs)}")


if __name__ == "__main__":
    main()
