"""From a public collection to a manifest: raw images and masks that must be made are written as PNG."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cxrnet.arrays import Int32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.datasets.covid import find_covid_image_data
from cxrnet.data.datasets.darwin import find_darwin
from cxrnet.data.datasets.dataset import ORGANS, Collection, Entry
from cxrnet.data.datasets.folders import find_folders
from cxrnet.data.datasets.jsrt import SIDE, find_jsrt, read_raw
from cxrnet.data.datasets.tuberculosis import find_montgomery, find_shenzhen
from cxrnet.data.manifest import relative, write_manifest
from cxrnet.data.masks import encode_png, read_mask, resize_classes, resize_mask
from cxrnet.data.reading import read_many
from cxrnet.errors import ManifestError, RadiographError, UsageError
from cxrnet.imaging import Decoder, Radiograph
from cxrnet.imaging.preprocess import resize
from cxrnet.model.config import PreparationConfig
from cxrnet.model.segmenter_classes import LUNG_SIDES

LAYOUTS: Mapping[str, Callable[[Path], Collection]] = {
    "jsrt": find_jsrt,
    "montgomery": find_montgomery,
    "shenzhen": find_shenzhen,
    "darwin": find_darwin,
    "covid-image-data": find_covid_image_data,
    "folders": find_folders,
}
"""Name of a layout to the function that finds the images of a folder in that layout."""

WITH_ORGANS = ("jsrt",)
"""Layouts from which label maps can be made."""

FIELDS = ("image", "mask", "label", "group_id", "patient_id", "source", "view", "split")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of a collection: number of `rows` and of rows with `masks`, and lines for people."""

    rows: int
    masks: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where results go, and whether masks are label maps; images are made small and copied with `entries` only."""

    manifest: Path
    masks: Path
    entries: Path | None
    label_maps: bool


def build_manifest(
    layout: str,
    folder: Path,
    out: Path,
    *,
    masks: Path | None = None,
    prepare: Path | None = None,
    label_maps: bool = False,
) -> Built:
    """Write the manifest of a public collection.

    Args:
        layout: One of `LAYOUTS`.
        folder: What the collection unpacks to.
        out: The CSV file to write; its paths are relative to its folder.
        masks: Folder for masks that are joined or drawn, and for raw images; `masks` next to `out` if not given.
        prepare: Folder for copies of all images at 300 x 340, which the manifest then names, with masks of
            that size. A copy is resized but not equalised, so that preparing it gives the same image, bit for
            bit, as preparing the original with "area".
        label_maps: Whether masks are label maps of `ORGANS`; images without one of them are left out.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"{layout}: is not a known layout; choose from {', '.join(LAYOUTS)}")
    if label_maps and layout not in WITH_ORGANS:
        raise UsageError(f"--label-maps: {layout} has no masks of organs; {', '.join(WITH_ORGANS)} has")
    if not folder.is_dir():
        raise ManifestError(f"{folder}: is not a folder; give what the {layout} collection unpacks to")
    collection = LAYOUTS[layout](folder)
    places = _Places(manifest=out.parent, masks=masks or out.parent / "masks", entries=prepare, label_maps=label_maps)
    names = _unique_names(collection.entries)
    rows = []
    work = list(zip(collection.entries, names, strict=True))
    for row in read_many(lambda decoder, item: _convert(decoder, *item, places), work):
        if isinstance(row, str):
            collection.left_out[row] += 1
        else:
            rows.append(row)
    if not rows:
        why = "; ".join(f"{count} left out: {reason}" for reason, count in collection.left_out.most_common())
        remedy = "see docs/how-to/own-dataset.md for the layout"
        raise ManifestError(f"{folder}: holds no image that can be used ({why or 'none found'}); {remedy}")
    others = dict.fromkeys(name for row in rows for name in row if name not in FIELDS)
    write_manifest(out, (*FIELDS, *others), rows)
    return Built(
        rows=len(rows),
        masks=sum(bool(row["mask"]) for row in rows),
        left_out=dict(collection.left_out.most_common()),
        notes=tuple(collection.notes),
    )


def _convert(decoder: Decoder, entry: Entry, name: str, places: _Places) -> dict[str, str] | str:
    """The row of an image, with what it names written, or why it is left out."""
    if places.label_maps and not entry.organs:
        return f"without the masks of {', '.join(ORGANS)}"
    try:
        image, size = _place_image(decoder, entry, name, places)
        mask = _place_mask(decoder, entry, name, places, size)
    except RadiographError as error:
        return f"an image or mask is {error.code}"
    return {
        "image": relative(image, places.manifest),
        "mask": relative(mask, places.manifest) if mask else "",
        **entry.values,
    }


def _place_image(decoder: Decoder, entry: Entry, name: str, places: _Places) -> tuple[Path, tuple[int, int] | None]:
    """Where the image of a row is, and the size that a mask made for it must have."""
    if places.entries is not None:
        size = (PreparationConfig().height, PreparationConfig().width)
        radiograph = Radiograph.from_array(read_raw(entry.image)) if entry.is_raw else decoder.read(entry.image)
        small = np.rint(resize(radiograph.pixels, *size, "area")).astype(np.uint8)
        path = places.entries / f"{name}.png"
        write_atomic(path, encode_png(small))
        return path, size
    if entry.is_raw:
        path = places.masks / f"{name}.png"
        write_atomic(path, encode_png(read_raw(entry.image)))
        return path, (SIDE, SIDE)
    return entry.image, entry.size


def _place_mask(
    decoder: Decoder, entry: Entry, name: str, places: _Places, size: tuple[int, int] | None
) -> Path | None:
    """Where the mask of a row is: the owner's file where it is one and has the right size already."""
    path = places.masks / f"{name}_mask.png"
    if places.label_maps:
        write_atomic(path, encode_png(_label_map(decoder, entry.organs, size)))
        return path
    if not entry.masks and not entry.outlines:
        return None
    if len(entry.masks) == 1 and size is None:
        return entry.masks[0]
    mask = draw(entry.outlines, *(entry.size or (0, 0))) if entry.outlines else _join(decoder, entry.masks)
    if size is not None:
        mask = resize_mask(mask, *size)
    write_atomic(path, encode_png(mask))
    return path


def draw(outlines: tuple[tuple[Int32, ...], ...], height: int, width: int) -> UInt8:
    """The union of outlines, 0 or 255, uint8 [height, width]; the rings of one outline cut holes into it."""
    mask = np.zeros((height, width), np.uint8)
    for rings in outlines:
        shape = np.zeros_like(mask)
        cv2.fillPoly(shape, list(rings), 255)
        mask |= shape
    return mask


def _join(decoder: Decoder, paths: tuple[Path, ...]) -> UInt8:
    """The union of masks; a second one of another size is brought to that of the first."""
    first, *others = (read_mask(decoder, path).lung for path in paths)
    for other in others:
        first = np.maximum(first, resize_mask(other, *first.shape))
    return first


def _label_map(decoder: Decoder, organs: Mapping[str, Path], size: tuple[int, int] | None) -> UInt8:
    """The map of `ORGANS`, uint8 [height, width]; where two overlap the later counts.

    Frontal views show the right lung on the left: names that say otherwise are exchanged.
    """
    masks = {name: read_mask(decoder, path).lung > 127 for name, path in organs.items()}
    right, left = (masks[name] for name in LUNG_SIDES)
    if right.any() and left.any() and np.nonzero(right)[1].mean() > np.nonzero(left)[1].mean():
        masks |= dict(zip(LUNG_SIDES, (left, right), strict=True))
    labels = np.zeros(right.shape, np.uint8)
    for value, name in enumerate(ORGANS, start=1):
        labels[masks[name]] = value
    return labels if size is None else resize_classes(labels, len(ORGANS) + 1, *size)


def _unique_names(entries: list[Entry]) -> list[str]:
    """A file name an image: its stem, with its number in the collection where two would be the same."""
    count = Counter(entry.image.stem.casefold() for entry in entries)
    return [
        entry.image.stem if count[entry.image.stem.casefold()] == 1 else f"{entry.image.stem}-{number:05}"
        for number, entry in enumerate(entries)
    ]
