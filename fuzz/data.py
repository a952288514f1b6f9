"""Fuzzes masks and manifests: whatever the bytes, a result or one line, and nothing else.

    python fuzz/data.py masks --runs 100000        mask files of every kind with bits flipped, cut, or of random values
    python fuzz/data.py manifests --runs 100000    CSV tables with bytes, cells and rows changed

An input that raises anything other than an error of cxrnet, or whose line is not printable, or that is read wrongly, is
kept in `.fuzz/found`, and the exit code is not 0.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from cxrnet.data.check import check_rows
from cxrnet.data.manifest import read_manifest, scan_manifest
from cxrnet.data.mask_values import MaskValues
from cxrnet.data.masks import Mask, mask_of
from cxrnet.errors import CxrNetError
from cxrnet.imaging.files import _sniff_raster
from cxrnet.imaging.label_map import read_label_map
from cxrnet.imaging.radiograph import Limits

PLACE = Path(os.environ.get("CXRNET_FUZZ", Path(__file__).parents[1] / ".fuzz"))
TABLE = b"""image,mask,label,group_id,patient_id,source,split
1.png,1m.png,covid,a,p1,one,train
2.png,2m.png,normal,b,p2,two,val
3.png,,covid,,p3,"one, two",test
"""
PIECES = [b"\0", b"nan", b"unknown", b",,,", b"\n \n", b'"', b"\xff", b"../1.png", b"TRAIN", b"\r\n", b"\xef\xbb\xbf"]


def mask_seeds() -> dict[str, bytes]:
    """Return name -> bytes of a mask of two lungs in every kind that is read."""
    labels = np.zeros((66, 70), np.uint8)
    labels[10:50, 8:30], labels[10:50, 40:62] = 1, 2
    palette = Image.fromarray(labels, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    pictures = {
        "labels": Image.fromarray(labels),
        "deep": Image.fromarray(labels.astype(np.uint16)),
        "hard": Image.fromarray((labels > 0).astype(np.uint8) * 255),
        "palette": palette,
        "colour": palette.convert("RGB"),
        "alpha": palette.convert("RGBA"),
        "float": Image.fromarray((labels > 0).astype(np.float32)),
    }
    found = {}
    for name, picture in pictures.items():
        for kind in ("TIFF",) if name == "float" else ("PNG", "TIFF", "GIF", "BMP"):
            buffer = io.BytesIO()
            try:
                picture.save(buffer, kind)
            except OSError:  # a format that does not take this mode
                continue
            found[f"{name}.{kind.lower()}"] = buffer.getvalue()
    return found


def read_mask(data: bytes, rng: random.Random) -> str:
    """Return how reading a mask ended; anything but a result or a line of ours is raised."""
    values = rng.choice([MaskValues(), MaskValues(), MaskValues(lung=("1", "2")), MaskValues(void=("255",))])
    source = io.BytesIO(data)
    kind = _sniff_raster(data[:132])
    if kind is None:
        return "not a picture"
    labels = read_label_map(source, kind, name="mask", limits=Limits())
    return checked(mask_of(labels, values), labels.values.shape)


def checked(mask: Mask, shape: tuple[int, ...]) -> str:
    """Return what kind of mask it is, after a look whether it is one."""
    if mask.lung.dtype != np.uint8 or mask.lung.shape != shape:
        raise AssertionError(f"lung is {mask.lung.dtype} {mask.lung.shape}, the file {shape}")
    if mask.void is not None and (mask.void.shape != shape or mask.void.dtype != bool):
        raise AssertionError(f"void is {mask.void.dtype} {mask.void.shape}")
    return "empty" if mask.is_empty else "read"


def values_of(rng: random.Random) -> bytes:
    """Return a grey PNG of random values: few or many, small or large, in areas or as noise."""
    generator = np.random.default_rng(rng.randrange(2**32))
    values = generator.choice(rng.choice([3, 16, 256, 65536]), size=rng.choice([1, 2, 3, 5, 40]))
    size = rng.choice([(4, 4), (33, 35), (66, 70)])
    areas = generator.choice(values, size=size).repeat(66 // size[0] + 1, 0).repeat(70 // size[1] + 1, 1)[:66, :70]
    buffer = io.BytesIO()
    Image.fromarray(areas.astype(np.uint16 if areas.max() > 255 else np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def read_table(path: Path) -> str:
    """Return how reading a manifest ended."""
    manifest, problems = scan_manifest(path)
    problems = (*problems, *check_rows(manifest.samples))
    if not all(problem.text.isprintable() for problem in problems):
        raise AssertionError("a problem that is not printable")
    has_errors = any(problem.kind == "error" for problem in problems[: len(problems)] if problem.code == "ROW")
    try:
        read_manifest(path)
    except CxrNetError:
        return "refused"
    if has_errors:
        raise AssertionError("a faulty row was read")
    return "read"


def changed(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with bits flipped, pieces put in, or the end cut off."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 2, 4, 16))):
        place = rng.randrange(len(content))
        if rng.random() < 0.5:
            content[place] ^= 1 << rng.randrange(8)
        else:
            content[place:place] = rng.choice(PIECES)
    return bytes(content[: rng.randrange(1, len(content))] if rng.random() < 0.1 else content)


def fuzz(what: str, runs: int, seed: int) -> int:
    """Fuzz, print the figures, and return the number of inputs that were kept."""
    rng, ends, found, seeds = random.Random(seed), Counter[str](), 0, sorted(mask_seeds().items())
    PLACE.mkdir(parents=True, exist_ok=True)
    path = PLACE / "last.csv"
    for run in range(1, runs + 1):
        if what == "masks":
            data = values_of(rng) if rng.random() < 0.3 else changed(seeds[run % len(seeds)][1], rng)
        else:
            data = changed(TABLE, rng)
            path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ends[read_mask(data, rng) if what == "masks" else read_table(path)] += 1
        except CxrNetError as error:
            ends[getattr(error, "code", type(error).__name__)] += 1
            problem = "" if what == "manifests" or str(error).isprintable() else f"not printable: {error!r}"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        else:
            problem = ""
        if problem:
            found += 1
            kept = PLACE / "found" / f"{what}-{hashlib.sha256(data).hexdigest()[:12]}"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(data)
            print(f"{kept}: {problem}", file=sys.stderr, flush=True)
        if run % 10_000 == 0 or run == runs:
            print(f"{run} runs, {found} found, {dict(ends.most_common())}", flush=True)
    return found


def main() -> None:
    """Fuzz as the command line says."""
    parser = argparse.ArgumentParser(description="Fuzz masks and manifests")
    parser.add_argument("what", choices=("masks", "manifests"))
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    sys.exit(1 if fuzz(chosen.what, chosen.runs, chosen.seed) else 0)


if __name__ == "__main__":
    main()
