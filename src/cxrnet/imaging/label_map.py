"""A mask as its file stores it: one number or one colour per pixel, never scaled to a picture's range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from cxrnet.arrays import AnyArray, Float32
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, check_size, fault, refusing
from cxrnet.imaging.raster import _check_frames, _find_orientation, _is_deep_colour, _open, _turn
from cxrnet.imaging.tiff import is_exact, read_samples

Kind = Literal["number", "palette", "colour", "scaled"]
_LARGEST = 2**24  # every whole number up to here is a float32
_GREY_MODES = {"1", "L", "I;16", "I;16B", "I", "F"}
_PHOTOMETRIC, _SAMPLES, _EXTRA_SAMPLES, _ALPHA = 262, 277, 338, ((1,), (2,))  # TIFF tags
_CHANNELS, _ONE_MASK = "the TIFF holds several channels of unknown meaning", "save one mask a file"
_MOST_CHROMA = 16  # of 255, between the channels of a grey picture that a lossy codec has kept in colour


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMap:
    """The stored values of a mask."""

    # float32 [height, width], upright by EXIF: the numbers of the file; the entry of the palette; 65536 red + 256
    # green + blue of a coloured picture; or, of a DICOM file, what `Radiograph.pixels` holds
    values: Float32
    kind: Kind
    name: str  # what messages call the file
    is_lossy: bool = False  # whether the compression changes values (JPEG, lossy WebP)
    # colour of each entry of the palette that is used, as 65536 red + 256 green + blue
    palette: tuple[tuple[int, int], ...] = ()
    exif_orientation: int = 1  # as of a `Radiograph`

    @classmethod
    def of_radiograph(cls, radiograph: Radiograph) -> LabelMap:
        """The label map in pixels that were scaled to 0..255 already."""
        return cls(values=radiograph.pixels, kind="scaled", name=radiograph.name)


def read_label_map(source: BinaryIO, kind: str, *, name: str, limits: Limits) -> LabelMap:
    """The label map in a picture file; transparent parts are 0.

    Raises:
        RadiographError: MULTI_FRAME, TOO_SMALL, TOO_LARGE, or UNREADABLE for everything that is damaged or has values
            that cannot be held exactly.
    """
    image = _open(source, kind, name, limits)
    values: AnyArray
    palette: tuple[tuple[int, int], ...] = ()
    stored: Kind = "number"
    is_lossy = False
    if image is None or (kind == "TIFF" and not is_exact(image)):
        samples = read_samples(source, name, limits, [])
        values, orientation = samples.values, samples.orientation
        if samples.channels > 1:
            raise fault(Fault.UNREADABLE, name, _CHANNELS, _ONE_MASK)
        image = None
    else:
        orientation = _find_orientation(image, [])
        is_lossy = _is_lossy(source, image)
        values, palette, stored = _read_values(source, image, name, limits, is_lossy=is_lossy)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise fault(Fault.UNREADABLE, name, "some values are NaN or infinite", "every value must be a finite number")
    if values.dtype.kind in "iu" and np.abs(values.astype(np.int64)).max() > _LARGEST:
        problem = f"the largest value is {values.max()}"
        raise fault(Fault.UNREADABLE, name, problem, f"a mask has values up to {_LARGEST}")
    if orientation in range(2, 9) and (kind != "TIFF" or image is None):  # Pillow has turned a TIFF already
        values = _turn(values, orientation)
    exact = np.ascontiguousarray(values, np.float32)
    return LabelMap(
        values=exact,
        kind=stored,
        name=name,
        is_lossy=is_lossy,
        palette=palette,
        exif_orientation=orientation if orientation in range(2, 9) else 1,
    )


def _read_values(
    source: BinaryIO, image: Image.Image, name: str, limits: Limits, *, is_lossy: bool
) -> tuple[AnyArray, tuple[tuple[int, int], ...], Kind]:
    """The values of a picture that Pillow has opened, the palette, and their kind."""
    _check_frames(image, name, [])
    check_size(name, image.height, image.width, limits)
    tags = getattr(image, "tag_v2", {})
    with refusing(name, f"decoding the {image.format} picture"):
        image.load()
        if tags.get(_SAMPLES) == 2 and tags.get(_EXTRA_SAMPLES) not in _ALPHA:
            raise fault(Fault.UNREADABLE, name, _CHANNELS, _ONE_MASK)
        if _is_deep_colour(source, image):
            raise fault(Fault.UNREADABLE, name, "the mask has more than 8 bits per colour", "save it as 8-bit or grey")
        if image.mode not in _GREY_MODES | {"P"} or (image.mode == "P" and image.has_transparency_data):
            image = _flatten(image)
        if image.mode == "P":
            return np.asarray(image), _used_palette(image), "palette"
        values = np.asarray(image)
        if values.ndim == 2:
            is_reversed = image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0  # Pillow does this for 8 bits
            return 65535 - values if is_reversed else values, (), "number"
        red, green, blue = np.moveaxis(values.astype(np.int32), 2, 0)
        if np.ptp(values, axis=2).max() <= (_MOST_CHROMA if is_lossy else 0):
            return green, (), "number"
        return 65536 * red + 256 * green + blue, (), "colour"


def _is_lossy(source: BinaryIO, image: Image.Image) -> bool:
    if image.format == "WEBP":
        source.seek(0)
        return b"VP8L" not in source.read(4096)
    return image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"


def _flatten(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB on black, or its alpha channel where that alone tells pixels apart."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    coloured = image.convert("RGBA")
    least, most = coloured.getchannel("A").getextrema()
    if least == most:  # an alpha channel that says nothing
        return coloured.convert("RGB")
    if not np.ptp(np.asarray(coloured)[..., :3], axis=(0, 1)).any():
        return coloured.getchannel("A")
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
