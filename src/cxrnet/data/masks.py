"""Masks: what the stored values of a file mean, and masks at other sizes.

Masks are published as 0 and 1, 0 and 255, label maps of small numbers, coloured lungs, or shares of 255 (soft masks).
A file alone does not always say which; what fits two readings is an error that names the values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from cxrnet.arrays import Bool, Float32, UInt8, UInt16
from cxrnet.data.mask_values import AUTOMATIC, ClassValues, MaskValues, number_of
from cxrnet.errors import RadiographError
from cxrnet.imaging.decoding import Decoder
from cxrnet.imaging.label_map import LabelMap
from cxrnet.imaging.preprocess import resize
from cxrnet.imaging.radiograph import Radiograph, printable
from cxrnet.model.segmenter_classes import lung_channels

AMBIGUOUS = "MASK_VALUES"
"""Code of the error for values that fit two readings, or none."""

_MAX_LABEL = 15  # a label map of this and lower numbers is recognised as one
_MAX_LABELS = 16  # different values; a soft mask of a network or of JPEG has more
_BORDER_SHARE = 0.2  # most of the foreground that can lie between outside and lung in a resampled hard mask
_RANGES = (1.0, 255.0, 65535.0)  # what "certainly lung" can be in a soft mask
_NEAR_TOP = 0.98
_MOST_EDGE = 0.5
_MOST_BETWEEN = 0.6  # of the foreground of a soft mask between outside and lung; of a radiograph it is nearly all
_REMEDY = "name the lung with --mask-values (1,2 or #ff0000 or soft) and void pixels with --void-value"
_REMEDY_INVERTED = "name the lung with --mask-values, for example 0 or #000000, or correct the mask"


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """A lung mask."""

    lung: UInt8  # uint8 [height, width], 255 times the share of the pixel that is lung
    void: Bool | None = None  # bool [height, width], pixels that do not count; None where there are none
    labels: str = ""  # values taken as lung in a label map of several values, for people; "" for every other mask
    # uint8 [height, width], index of the class in a map of several; None for a mask of lungs alone
    classes: UInt8 | None = None
    exif_orientation: int = 1  # of its file, 1 to 8; `lung` is upright

    @property
    def is_empty(self) -> bool:
        """Whether no pixel is lung."""
        return not bool((self.lung > 127).any())


def read_mask(decoder: Decoder, path: Path, values: MaskValues = AUTOMATIC) -> Mask:
    """The lung mask in a file.

    Raises:
        RadiographError: It cannot be read, or `MASK_VALUES`: its values do not say what is lung.
    """
    labels = decoder.read_labels(path)
    return replace(mask_of(labels, values), exif_orientation=labels.exif_orientation)


def mask_of(labels: LabelMap, values: MaskValues = AUTOMATIC) -> Mask:
    """The lung mask in a label map.

    With two values the lower is outside. A map of whole numbers up to 15 is lung wherever it is not 0, a coloured one
    wherever it is not black. With more values the mask is soft, if it is one by its range and its borders.

    Raises:
        RadiographError: `MASK_VALUES`.
    """
    stored, names = _as_numbers(labels)
    void = _is_any(stored, values.void, labels) if values.void else None
    if void is not None and not void.any():
        void = None
    if isinstance(values, ClassValues):
        return _class_map(stored, labels, names, void, values)
    if values.lung and not values.is_soft:
        lung = _is_any(stored, values.lung, labels)
        return Mask(lung=np.where(lung, np.uint8(255), np.uint8(0)), void=void, labels=",".join(values.lung))
    if void is not None:
        kept = stored[~void]
        stored = np.where(void, kept.min() if kept.size else 0, stored)
    if values.is_soft:
        return Mask(lung=_soft(stored, labels), void=void)
    return _recognise(stored, labels, names, void)


def _recognise(stored: Float32, labels: LabelMap, names: dict[int, str], void: Bool | None) -> Mask:
    """The mask whose values nobody has named."""
    found = _different(stored)
    if len(found) == 1:
        if found[0] != 0:
            raise _ambiguous(labels, found, names, "the same everywhere")
        return Mask(lung=np.zeros(stored.shape, np.uint8), void=void)
    if found[0] < 0:
        raise _ambiguous(labels, found, names, "some below 0")
    if len(found) == 2 and (not names or found[0] == 0):
        mask = Mask(lung=np.where(stored == found[1], np.uint8(255), np.uint8(0)), void=void)
    else:
        mask = _several(stored, found, labels, names, void)
    if _fills_edges(mask.lung):
        what = "and the lung fills most of the edges of the picture, as what is outside does in an inverted mask"
        raise _ambiguous(labels, found, names, what, _REMEDY_INVERTED)
    return mask


def check_mask_size(mask: Mask, radiograph: Radiograph, *, name: str) -> None:
    """Check that a mask has the height and width of its radiograph, and is turned upright by EXIF as it is.

    Where one file has an EXIF orientation that the other lacks, the two fit if only one way makes their sides equal.

    Raises:
        RadiographError: `MASK_SIZE` or `MASK_ORIENTATION`; a mask is never stretched or turned onto a radiograph.
    """
    height, width = radiograph.pixels.shape
    if mask.lung.shape == (height, width):
        of_image, of_mask = radiograph.exif_orientation, mask.exif_orientation
        is_clear_by_size = height != width and (of_image > 4) != (of_mask > 4)  # above 4, rows become columns
        if of_image == of_mask or is_clear_by_size:
            return
        problem = f"the EXIF orientation of the image is {of_image}, that of the mask {of_mask}"
        remedy = "save both upright, without an orientation, or with the same one"
        raise RadiographError("MASK_ORIENTATION", f"{printable(name)}: {problem}; {remedy}")
    turned = ", turned by 90 degrees" if mask.lung.shape == (width, height) else ""
    size = f"{mask.lung.shape[1]} x {mask.lung.shape[0]}"
    problem = f"the mask is {size}, its image {width} x {height}{turned}"
    raise RadiographError(
        "MASK_SIZE", f"{printable(name)}: {problem}; a mask has the size and orientation of its image"
    )


def resize_mask(mask: UInt8, height: int, width: int) -> UInt8:
    """`mask` at another size, uint8 [height, width]; a mask of 0 and 255 stays one.

    Areas are averaged, which moves no edge; of a mask with two values, positions that are half lung are lung.
    """
    if mask.shape == (height, width):
        return mask
    is_binary = bool(np.all((mask == 0) | (mask == 255)))
    resized = resize(mask.astype(np.float32), height, width, "area")
    return np.where(resized >= 127.5, np.uint8(255), np.uint8(0)) if is_binary else np.rint(resized).astype(np.uint8)


def resize_classes(classes: UInt8, count: int, height: int, width: int) -> UInt8:
    """A map of so many classes at another size, uint8 [height, width]: the class with the largest share of the area."""
    if classes.shape == (height, width):
        return classes
    shares = [resize((classes == index).astype(np.float32), height, width, "area") for index in range(count)]
    return np.asarray(np.argmax(shares, axis=0), np.uint8)


def resize_void(void: Bool, height: int, width: int) -> Bool:
    """Void pixels at another size, bool [height, width]: whatever touches one is void."""
    return resize(void.astype(np.float32), height, width, "area") > 0


def encode_png(pixels: UInt8 | UInt16) -> bytes:
    """`pixels` [height, width] as a grey PNG of 8 or 16 bits."""
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _class_map(
    stored: Float32, labels: LabelMap, names: dict[int, str], void: Bool | None, values: ClassValues
) -> Mask:
    """The mask of a label map whose values are named, void pixels being background."""
    known = np.zeros(stored.shape, bool) if void is None else void.copy()
    classes = np.zeros(stored.shape, np.uint8)
    for index, (_, texts) in enumerate(values.classes):
        here = _is_any(stored, texts, labels) & ~known
        classes[here] = index
        known |= here
    if labels.is_lossy or not known.all():
        meant = ", ".join(f"{name} {' or '.join(texts)}" for name, texts in values.classes)
        what = "in a lossy file" if labels.is_lossy else f"and the classes are {meant}"
        remedy = "give each class its values, --mask-values 'right lung=1,left lung=2', and void pixels --void-value"
        raise _ambiguous(labels, _different(stored), names, what, remedy)
    lung = np.isin(classes, lung_channels(values.names))
    return Mask(lung=np.where(lung, np.uint8(255), np.uint8(0)), void=void, classes=classes)


def _fills_edges(lung: UInt8) -> bool:
    """Whether more than half of the edges are lung, or of a line within; 0.19 at most in 1,181 masks of five styles."""
    inset = round(0.02 * min(lung.shape))
    lines = (lung, lung[inset : len(lung) - inset, inset : lung.shape[1] - inset])
    edges = (np.concatenate([each[0], each[-1], each[:, 0], each[:, -1]]) for each in lines)
    return any(float((edge > 127).mean()) > _MOST_EDGE for edge in edges)


def _several(
    stored: Float32,
    found: Float32,
    labels: LabelMap,
    names: dict[int, str],
    void: Bool | None,
) -> Mask:
    """The mask in a map of three values or more."""
    is_whole, has_outside = bool((found == np.rint(found)).all()), found[0] == 0
    entries = np.unique(labels.values)
    if labels.kind == "palette" and entries[-1] == 255 and entries[-2] <= _MAX_LABEL:  # as PASCAL VOC stores void
        raise _ambiguous(labels, found, names, "of which that of entry 255 can be void")
    if names or (is_whole and has_outside and found[-1] <= _MAX_LABEL):
        if not has_outside or len(found) > _MAX_LABELS or labels.is_lossy:
            raise _ambiguous(labels, found, names, "no label map with a black or zero background")
        text = ", ".join(names.get(int(value), f"{value:g}") for value in found[1:])
        return Mask(lung=np.where(stored != 0, np.uint8(255), np.uint8(0)), void=void, labels=text)
    top = next((top for top in _RANGES if _NEAR_TOP * top <= found[-1] <= top), None)
    if top is None:
        raise _ambiguous(labels, found, names, "no shares of 1, 255 or 65535")
    is_discrete = len(found) <= _MAX_LABELS and not labels.is_lossy
    if _has_plateau(stored / np.float32(top), is_discrete=is_discrete):
        raise _ambiguous(labels, found, names, "either labels or shares of a pixel")
    if is_discrete and is_whole and top > 1 and found[1] <= 2:
        raise _ambiguous(labels, found, names, "either labels with the largest as void, or shares of a pixel")
    return Mask(lung=_soft(stored, labels), void=void)


def _has_plateau(shares: Float32, *, is_discrete: bool) -> bool:
    """Whether much of the foreground has one value between outside and lung, as a second label has."""
    between = shares[(shares > 0.02) & (shares < _NEAR_TOP)]
    if len(between) <= _BORDER_SHARE * max(int((shares > 0.02).sum()), 1):
        return False
    if len(between) > _MOST_BETWEEN * int((shares > 0.02).sum()):
        return True
    counts = np.histogram(between, 32, (0, 1))[0]
    return is_discrete or int((counts[:-1] + counts[1:]).max()) > len(between) / 2


def _soft(stored: Float32, labels: LabelMap) -> UInt8:
    """Shares as 0..255, by the smallest range that holds them."""
    highest = float(stored.max())
    top = next((top for top in _RANGES if highest <= top), None)
    if top is None or stored.min() < 0:
        raise _ambiguous(labels, np.unique(stored), {}, "no shares from 0 to 1, 255 or 65535")
    return np.asarray(np.rint(stored * (255 / top)), np.uint8)


def _different(stored: Float32) -> Float32:
    """The different values in their order; whole numbers are counted, which is faster than sorting all pixels."""
    if stored.min() >= 0 and stored.max() <= 65535 and bool((stored == np.rint(stored)).all()):
        return np.flatnonzero(np.bincount(stored.astype(np.intp).ravel())).astype(np.float32)
    return np.unique(stored)


def _as_numbers(labels: LabelMap) -> tuple[Float32, dict[int, str]]:
    """The values with 0 for outside, and the names of colours; a palette of greys becomes these greys."""
    if labels.kind == "colour":
        return labels.values, _colour_names(np.unique(labels.values)[: _MAX_LABELS + 1])
    if labels.kind != "palette":
        return labels.values, {}
    colours = dict(labels.palette)
    if len(set(colours.values())) < len(colours):  # the palette does not tell the entries apart
        return labels.values, {}
    table = np.zeros(256, np.float32)
    is_grey = all(colour % 65793 == 0 for colour in colours.values())  # 0x010101
    for entry, colour in colours.items():
        table[entry] = colour // 65793 if is_grey else colour
    stored = table[labels.values.astype(np.intp)]
    return stored, {} if is_grey else _colour_names(np.unique(stored))


def _colour_names(values: Float32) -> dict[int, str]:
    return {int(value): f"#{int(value):06x}" for value in values}


def _is_any(stored: Float32, wanted: Sequence[str], labels: LabelMap) -> Bool:
    """Where a pixel has one of the named values; a number names the entry of a palette."""
    found = np.zeros(stored.shape, bool)
    for text in wanted:
        number = float(number_of(text) or 0)
        source = labels.values if labels.kind == "palette" and not text.startswith("#") else stored
        if labels.kind == "number" and text.startswith("#"):
            number = number // 65793 if number % 65793 == 0 else -1
        found |= source == number
    return found


def _ambiguous(
    labels: LabelMap, found: Float32, names: dict[int, str], what: str, remedy: str = _REMEDY
) -> RadiographError:
    shown = [names.get(int(value), f"{value:g}") for value in found[:8]]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    problem = f"the values are {', '.join(shown)}{more}, {what}"
    return RadiographError(AMBIGUOUS, f"{printable(labels.name)}: {problem}; {remedy}")
