"""A mask as its file stores it: one number or one colour per pixel, never scaled to a picture's range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from cxrnet.arrays import AnyArray, Float32
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, check_size, fault, refusing
from cxrnet.imaging.raster import _check_frames, _find_orientation, _is_deep_colour, _open, _turn

Kind = Literal["number", "palette", "colour", "scaled"]
_LARGEST = 2**24  # every whole number up to here is a float32
_GREY_MODES = {"1", "L", "I;16", "I;16B", "I", "F"}


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMap:
    """The stored values of a mask.

    Attributes:
        values: float32 [height, width], upright by EXIF: the numbers of the file; the entry of the palette; 65536 red +
            256 green + blue of a coloured picture; or, of a DICOM file, what `Radiograph.pixels` holds.
        kind: Which of these.
        name: What messages call the file.
        is_lossy: Whether the compression changes values (JPEG).
        palette: Colour of each entry of the palette that is used, as 65536 red + 256 green + blue.
        exif_orientation: As of a `Radiograph`.
    """

    values: Float32
    kind: Kind
    name: str
    is_lossy: bool = False
    palette: tuple[tuple[int, int], ...] = ()
    exif_orientation: int = 1

    @classmethod
    def of_radiograph(cls, radiograph: Radiograph) -> LabelMap:
        """The label map in pixels that were scaled to 0..255 already."""
        return cls(values=radiograph.pixels, kind="scaled", name=radiograph.name)


def read_label_map(source: BinaryIO, kind: str, *, name: str, limits: Limits) -> LabelMap:
    """The label map in a picture file; transparent parts are 0.

    Args:
        source: The file, open at its beginning.
        kind: Pillow's name of the only format that is tried.
        name: What messages call it.
        limits: The sizes that are accepted.

    Raises:
        RadiographError: MULTI_FRAME, TOO_SMALL, TOO_LARGE, or UNREADABLE for everything that is damaged or has values
            that cannot be held exactly.
    """
    image = _open(source, kind, name, limits)
    if image is None:
        raise fault(Fault.UNREADABLE, name, "the TIFF has samples that no mask needs", "save it as 8-bit or grey")
    _check_frames(image, name, [])
    check_size(name, image.height, image.width, limits)
    orientation = _find_orientation(image, [])
    with refusing(name, f"decoding the {kind} picture"):
        image.load()
        if _is_deep_colour(source, image):
            raise fault(Fault.UNREADABLE, name, "the mask has more than 8 bits per colour", "save it as 8-bit or grey")
        if image.mode not in _GREY_MODES | {"P"} or (image.mode == "P" and image.has_transparency_data):
            image = _flatten(image)
        values: AnyArray = np.asarray(image)
        palette: tuple[tuple[int, int], ...] = ()
        stored: Kind = "number"
        if image.mode == "P":
            stored, palette = "palette", _used_palette(image)
        elif values.ndim == 3:
            red, green, blue = np.moveaxis(values.astype(np.int32), 2, 0)
            is_grey = bool((red == green).all() and (green == blue).all())
            stored = "number" if is_grey else "colour"
            values = red if is_grey else 65536 * red + 256 * green + blue
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise fault(Fault.UNREADABLE, name, "some values are NaN or infinite", "every value must be a finite number")
    if values.dtype.kind in "iu" and np.abs(values.astype(np.int64)).max() > _LARGEST:
        problem = f"the largest value is {values.max()}"
        raise fault(Fault.UNREADABLE, name, problem, f"a mask has values up to {_LARGEST}")
    if orientation != 1 and kind != "TIFF":  # the decoder has turned a TIFF already
        values = _turn(values, orientation)
    exact = np.ascontiguousarray(values, np.float32)
    return LabelMap(
        values=exact,
        kind=stored,
        name=name,
        is_lossy=kind == "JPEG",
        palette=palette,
        exif_orientation=orientation,
    )


def _flatten(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB on black; a colour that no pixel shows does not count."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    coloured = image.convert("RGBA")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, coloured).convert("RGB")


def _used_palette(image: Image.Image) -> tuple[tuple[int, int], ...]:
    colours = image.convert("RGB")
    entries, first = np.unique(np.asarray(image), return_index=True)
    shown = np.asarray(colours).reshape(-1, 3)[first].astype(int)
    return tuple(
        (int(entry), int(65536 * red + 256 * green + blue))
        for entry, (red, green, blue) in zip(entries, shown, strict=True)
    )
