"""JSRT with the masks of SCR (paper 2.1.1): 247 images of 2048 x 2048, masks of 1024 x 1024.

    *.IMG                          raw 16-bit big-endian grey without a header, 12 bits used, dense = low
    .../left lung/JPCLN001.gif     SCR, one folder an organ, in fold1/masks and fold2/masks
    .../right lung/JPCLN001.gif
    .../heart/JPCLN001.gif         for label maps

JPCLN images have a nodule, JPCNN images have none; each image is a patient of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cxrnet.arrays import UInt16
from cxrnet.data.datasets.dataset import ORGANS, Collection, Entry
from cxrnet.errors import ManifestError
from cxrnet.model.segmenter_classes import LUNG_SIDES

SIDE = 2048
_HIGHEST = 4095  # of 12 bits
_LABELS = {"JPCLN": "nodule", "JPCNN": "no-nodule"}


def find_jsrt(folder: Path) -> Collection:
    """The images below `folder`, with their masks where they are there as well."""
    collection = Collection()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    masks, hearts = _masks_of(files, LUNG_SIDES), _masks_of(files, ("heart",))
    for path in (path for path in files if path.suffix.lower() == ".img"):
        stem = path.stem.upper()
        if path.stat().st_size != 2 * SIDE * SIDE:
            collection.left_out[f"not {2 * SIDE * SIDE} bytes long"] += 1
        elif stem in masks and len(masks[stem]) != 2:
            collection.left_out["the mask of one lung only"] += 1
        else:
            values = {"label": _LABELS.get(stem[:5], ""), "patient_id": f"jsrt:{stem}", "source": "jsrt", "view": "PA"}
            lungs, heart = masks.get(stem, {}), hearts.get(stem, {})
            organs = {name: (lungs | heart)[name] for name in ORGANS} if lungs and heart else {}
            collection.entries.append(Entry(image=path, values=values, masks=tuple(lungs.values()), organs=organs))
    if not collection.entries and not collection.left_out:
        msg = f"{folder}: holds no .IMG file; give the folder of the JSRT images, with the SCR masks below it"
        raise ManifestError(msg)
    collection.notes.append("JSRT files are raw: each was inverted and written as a 16-bit PNG")
    return collection


def read_raw(path: Path) -> UInt16:
    """A JSRT image upright and bright where dense, uint16 [2048, 2048], 0..4095."""
    stored = np.fromfile(path, dtype=">u2").reshape(SIDE, SIDE)
    return np.asarray(_HIGHEST - np.minimum(stored, _HIGHEST), np.uint16)


def _masks_of(files: list[Path], organs: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Image to organ ("left lung", "right lung") to file; SCR writes a blank, copies write an underscore."""
    masks: dict[str, dict[str, Path]] = {}
    for path in files:
        organ = path.parent.name.lower().replace("_", " ")
        if organ in organs and path.suffix.lower() in (".gif", ".png"):
            masks.setdefault(path.stem.upper(), {})[organ] = path
    return masks
