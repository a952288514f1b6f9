"""PNG, JPEG, TIFF, WebP, BMP and still GIF to radiographs."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageChops, ImageCms, UnidentifiedImageError

from cxrnet.arrays import AnyArray, Float64, UInt8
from cxrnet.errors import RadiographError
from cxrnet.imaging.codestream import read_frame_header
from cxrnet.imaging.radiograph import (
    Fault,
    Limits,
    Radiograph,
    check_size,
    fault,
    refusing,
    scale,
    scaling_step,
)
from cxrnet.imaging.tiff import choose_page, is_exact, pages_of, read_samples

_JPEG_PROCESSES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Start of frame: baseline, extended and progressive, with either coding of entropy."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in Pillow's own conversion to grey
_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 258, 262  # EXIF and TIFF tags
_DEEP_GREY = {"I;16": "16-bit grey", "I;16B": "16-bit grey", "I": "32-bit grey", "F": "floating-point grey"}
_DEPTHS = {"1": "1-bit grey", "L": "8-bit grey", "LA": "8-bit grey", "P": "palette", **_DEEP_GREY}

# The colour test looks at about 256 x 256 pixels. Chroma is what is left of Cb and Cr when the tint, their
# median over the pixels of like luma, is taken away. Films, tinted ones and ones with coloured letters
# included, have under 1.3 % of pixels beyond 24 levels, a portrait photograph has 22 %.
_SAMPLED_SIDE = 256
_LUMA_BINS = 32
_CHROMA_LEVELS = 24
_COLOURED_FRACTION = 0.05
_BLACK = 4  # of 255: what lossy compression leaves of it


def read_raster(source: BinaryIO, kind: str, *, name: str, sha256: str, limits: Limits) -> Radiograph:
    """The radiograph in a picture file; brighter is taken to be denser, for nothing in the file can tell.

    Raises:
        RadiographError: MULTI_FRAME, COLOUR, CONSTANT, TOO_SMALL, TOO_LARGE, or UNREADABLE for everything
            that is damaged.
    """
    warnings: list[str] = []
    image = _open(source, kind, name, limits)
    if image is None or (kind == "TIFF" and not is_exact(image)):
        samples = read_samples(source, name, limits, warnings)
        history = [f"read {kind}, {samples.values.shape[1]} x {samples.values.shape[0]}, {samples.kind}"]
        values, orientation = samples.values, samples.orientation
        if values.ndim == 3:
            luma = _luma_of(values, name)
            values = np.rint(luma).astype(np.uint8) if values.dtype == np.uint8 else luma
    else:
        orientation = _find_orientation(image, warnings)
        values, history = _read_pixels(source, image, kind, name, limits, warnings)
    if orientation in range(2, 9):
        history.append(f"turned upright, EXIF orientation {orientation}")
        if kind != "TIFF" or image is None or not is_exact(image):  # Pillow and OpenCV have turned a TIFF already
            values = _turn(values, orientation)
    return Radiograph(
        pixels=scale(name, values),
        name=name,
        sha256=sha256,
        format=kind,
        history=(*history, *scaling_step(values)),
        warnings=tuple(warnings),
        exif_orientation=orientation if orientation in range(2, 9) else 1,
    )


def _read_pixels(
    source: BinaryIO, image: Image.Image, kind: str, name: str, limits: Limits, warnings: list[str]
) -> tuple[AnyArray, list[str]]:
    """The values [height, width] of a picture that Pillow has opened, and the history of the reading."""
    page = _check_frames(image, name, warnings)
    check_size(name, image.height, image.width, limits)
    history = [f"read {kind}, {image.width} x {image.height}, {_DEPTHS.get(image.mode, 'colour')}"]
    with refusing(name, f"decoding the {kind} picture"):
        image.load()
        values: AnyArray
        if _is_deep_colour(source, image) and page == 0:
            history[0] += " of 16 bits"
            values = _read_deep_colour(source, name)
        elif image.mode in _DEEP_GREY:
            values = _read_deep_grey(image)
        else:
            values = _read_shallow(image, name, warnings)
    return values, history


def _open(source: BinaryIO, kind: str, name: str, limits: Limits) -> Image.Image | None:
    """The picture with its header read and its pixels not yet decoded; None for a TIFF that Pillow does not know."""
    if kind == "JPEG":
        header = read_frame_header(source.read())
        source.seek(0)
        if header and (header.bits != 8 or header.marker not in _JPEG_PROCESSES):
            found = (
                f"a JPEG of {header.bits} bits"
                if header.marker in _JPEG_PROCESSES
                else "a lossless or hierarchical JPEG"
            )
            raise fault(
                Fault.UNREADABLE, name, f"is {found}", "save it as PNG, or as baseline or progressive JPEG of 8 bits"
            )
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limits.pixels  # until `check_size` has its turn
    try:
        with refusing(name, f"reading the {kind} header"):
            return Image.open(source, formats=(kind,))
    except RadiographError as error:
        if kind == "TIFF" and isinstance(error.__cause__, UnidentifiedImageError):
            return None
        if isinstance(error.__cause__, Image.DecompressionBombError):
            problem = f"the image has more than {2 * limits.pixels} pixels"
            raise fault(Fault.TOO_LARGE, name, problem, f"at most {limits.pixels} are read") from error
        raise
    finally:
        Image.MAX_IMAGE_PIXELS = most


def _check_frames(image: Image.Image, name: str, warnings: list[str]) -> int:
    """The number of the picture in the file, at which `image` is left; animations and several pages are refused.

    The further pictures of a camera's MPO file are previews or depth maps, those of a TIFF can be thumbnails.
    """
    with refusing(name, "counting the pictures in the file"):
        frames = getattr(image, "n_frames", 1)
        if image.format == "TIFF":
            page = choose_page(pages_of(image), name, warnings)
            image.seek(page)
            return page
    if image.format == "MPO":
        warnings.append(f"the file holds {frames} pictures; the first was read")
    elif frames > 1:
        raise fault(Fault.MULTI_FRAME, name, f"the file holds {frames} pictures", "give one image per file")
    return 0


def _find_orientation(image: Image.Image, warnings: list[str]) -> int:
    """The EXIF orientation, 1 (upright) to 8, 1 if it is missing."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever Pillow raises on damaged EXIF data
        orientation = None
    if orientation in range(1, 9):
        return int(orientation)
    warnings.append("the EXIF orientation is not readable and was ignored")
    return 1


def _turn(values: AnyArray, orientation: int) -> AnyArray:
    """`values` [height, width] upright; an EXIF orientation above 4 is a transposition and then a flip."""
    if orientation > 4:
        values = values.T
    is_mirrored = orientation in (2, 3, 6, 7)
    is_flipped = orientation in (3, 4, 7, 8)
    return values[:: -1 if is_flipped else 1, :: -1 if is_mirrored else 1]


def _is_deep_colour(source: BinaryIO, image: Image.Image) -> bool:
    """Whether a colour has more than 8 bits in the file, which Pillow does not tell."""
    if image.mode in _DEEP_GREY:
        return False
    if image.format == "PNG":
        source.seek(24)  # bit depth in the IHDR chunk, always the first
        return source.read(1) == b"\x10"
    return bool(max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))) > 8)


def _read_deep_grey(image: Image.Image) -> AnyArray:
    """Values [height, width] of a 16-bit, 32-bit or floating-point picture, in its own range."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    # Pillow inverts white-is-zero for 8 bits only.
    return -values.astype(np.float64) if tags.get(_PHOTOMETRIC) == 0 else values


def _read_deep_colour(source: BinaryIO, name: str) -> Float64:
    """Luma [height, width] of a colour picture of more than 8 bits, in its own range.

    Pillow keeps the high byte only, which is next to nothing where 12 bits are stored in 16.
    """
    import cv2  # here because such pictures are rare and the import takes a tenth of a second

    source.seek(0)
    decoded = cv2.imdecode(np.frombuffer(source.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim != 3 or decoded.shape[2] < 3:
        problem = "the picture has more than 8 bits a colour in a layout that is not supported"
        raise fault(Fault.UNREADABLE, name, problem, "save it as grey")
    return _luma_of(decoded[..., 2::-1], name)


def _luma_of(rgb: AnyArray, name: str) -> Float64:
    """Luma [height, width] of unsigned integers [height, width, 3], in their own range."""
    _refuse_colour(rgb, name, white=max(float(rgb.max()), 1.0))
    luma = np.zeros(rgb.shape[:2])
    for channel, weight in enumerate(_LUMA):
        luma += rgb[..., channel] * weight
    return luma


def _read_shallow(image: Image.Image, name: str, warnings: list[str]) -> UInt8:
    """uint8 [height, width] of an 8-bit picture of any kind; alpha is dropped."""
    if image.has_transparency_data:
        least = image.convert("RGBA").getchannel("A").getextrema()[0]
        if least != 255:
            warnings.append("parts of the picture are transparent; the values stored there were used")
    if image.mode == "CMYK" and "adobe" not in image.info:
        image = _without_adobe_marker(image)
    if image.mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, *profiles, outputMode="RGB") or image
    if image.mode not in ("1", "L", "LA"):
        image = image.convert("RGB")
        _refuse_colour(np.asarray(image), name)
    return np.asarray(image.convert("L"))


def _without_adobe_marker(image: Image.Image) -> Image.Image:
    """A CMYK picture whose file does not say what 0 means: one that would be black everywhere means that it is 255."""
    is_black = np.asarray(image.convert("RGB")).max() <= _BLACK
    return ImageChops.invert(image) if is_black else image


def _refuse_colour(rgb: AnyArray, name: str, *, white: float = 255.0) -> None:
    """Refuse a picture in colours; a tint, and letters or arrows in colour, are no such thing.

    Args:
        rgb: Any type [height, width, 3], from 0.
        name: The input, for messages.
        white: The greatest value of `rgb`.

    Raises:
        RadiographError: COLOUR.
    """
    step = max(1, max(rgb.shape) // _SAMPLED_SIDE)
    red, green, blue = rgb[::step, ::step].reshape(-1, 3).astype(np.float32).T * (255 / white)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    chroma = np.stack([0.564 * (blue - luma), 0.713 * (red - luma)])
    bins = (luma * (_LUMA_BINS / 256)).astype(np.intp)
    for each in np.unique(bins):
        chroma[:, bins == each] -= np.median(chroma[:, bins == each], axis=1, keepdims=True)
    coloured = float(np.mean(np.hypot(*chroma) > _CHROMA_LEVELS))
    if coloured > _COLOURED_FRACTION:
        problem = f"{coloured:.0%} of the picture is in colour"
        raise fault(Fault.COLOUR, name, problem, "a radiograph is grey, or grey with a tint")
