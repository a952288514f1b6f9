"""TIFF pages: which page is the picture, and the sample formats that Pillow does not hold exactly."""

import re
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from cxrnet.arrays import AnyArray
from cxrnet.imaging.radiograph import Fault, Limits, check_size, fault, refusing

_SUBFILE_TYPE, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 254, 258, 259, 262, 274, 277  # tags
_PLANES, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _DEPTH, _DESCRIPTION = 284, 338, 339, 32997, 270
_PLAIN, _LZW, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE = 1, 5, 7, 8, 32773, 32946  # compressions
_RGB, _ASSOCIATED = 2, 1  # of photometric interpretation and extra samples
_OPENCV_COMPRESSIONS = (_PLAIN, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE)
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex integer", 6: "complex"}
_EXACT = frozenset({(1, 1), (1, 2), (1, 4), (1, 8), (1, 12), (1, 16), (2, 16), (2, 32), (3, 32)})
_EXACT_COLOUR = frozenset({(1, 1), (1, 2), (1, 4), (1, 8), (1, 16)})
_SWAPPED = frozenset({(2, 16), (2, 32), (3, 32)})
_SLICES = re.compile(r"ImageJ=[^\n]*\nimages=([2-9]|1\d)")  # of a stack of more than 4 GB in one page
_MOST_PAGES = 64


class Page(NamedTuple):
    """Size of a page in pixels, and whether the file calls it a reduced picture or a mask."""

    width: int
    height: int
    is_secondary: bool


class Samples(NamedTuple):
    """Values [height, width], what they are stored as, the EXIF orientation of the page, and its channels."""

    values: AnyArray
    kind: str
    orientation: int
    channels: int


def choose_page(pages: list[Page], name: str, warnings: list[str]) -> int:
    """The number of the page that is the picture: the only one but for thumbnails and masks.

    Raises:
        RadiographError: MULTI_FRAME where several pages are pictures.
    """
    main = [number for number, page in enumerate(pages) if not page.is_secondary] or [0]
    largest = max(main, key=lambda number: pages[number].width * pages[number].height)
    width, height = pages[largest].width, pages[largest].height
    others = [pages[number] for number in main if number != largest]
    if any(2 * page.width > width or 2 * page.height > height for page in others):
        raise fault(Fault.MULTI_FRAME, name, f"the file holds {len(main)} pictures", "give one image per file")
    if len(pages) > 1:
        warnings.append(f"the file holds {len(pages)} pages; page {largest + 1}, the full picture, was read")
    return largest


def pages_of(image: Image.Image) -> list[Page]:
    """The pages of an open TIFF, and the slices of a stack that stands in one; Pillow is left at the first."""
    slices = _SLICES.match(str(_tags(image).get(_DESCRIPTION, "")))
    if slices or int(_tags(image).get(_DEPTH, 1)) > 1:
        page = Page(image.width, image.height, is_secondary=False)
        return [page] * max(getattr(image, "n_frames", 1), 2)
    pages = []
    for number in range(min(getattr(image, "n_frames", 1), _MOST_PAGES)):
        image.seek(number)
        kind = int(_tags(image).get(_SUBFILE_TYPE, 0))
        pages.append(Page(image.width, image.height, bool(kind & 0b101)))
    image.seek(0)
    return pages


def is_exact(image: Image.Image) -> bool:
    """Whether Pillow gives the values of every page as they are stored, or in the 8 bits that colour has here.

    If so, Pillow is left at the first page.
    """
    try:
        for number in range(min(getattr(image, "n_frames", 1), _MOST_PAGES)):
            image.seek(number)
            if not _is_exact_page(_tags(image)):
                return False
        image.seek(0)
    except Exception:  # a page of a format that Pillow does not know, or damaged, for which it has errors of many kinds
        return False
    return True


def _is_exact_page(tags: Any) -> bool:
    formats, bits = set(tags.get(_SAMPLE_FORMAT, (1,))), set(tags.get(_BITS, (1,)))
    if len(formats) != 1 or len(bits) != 1:
        return False
    sample = formats.pop(), bits.pop()
    is_grey = int(tags.get(_PHOTOMETRIC, 1)) in (0, 1)
    samples, compression = int(tags.get(_SAMPLES, 1)), int(tags.get(_COMPRESSION, _PLAIN))
    if compression == _JPEG and sample[1] > 12:  # lossless JPEG, of which Pillow makes noise
        return False
    if is_grey and samples > 1:
        return sample == (1, 8) and _ASSOCIATED not in tags.get(_EXTRA_SAMPLES, ()) and int(tags.get(_PLANES, 1)) == 1
    if not is_grey:  # nor does it hold planes of 16 bits
        return sample in _EXACT_COLOUR and (int(tags.get(_PLANES, 1)) == 1 or (sample[1] <= 8 and samples == 3))
    if sample in _SWAPPED and compression != _PLAIN and tags.prefix == b"MM":  # it exchanges the bytes once too often
        return False
    return sample in _EXACT


def read_samples(source: BinaryIO, name: str, limits: Limits, warnings: list[str]) -> Samples:
    """The values of a grey TIFF in a format that Pillow does not hold; of a picture in colour [height, width, 3].

    Raises:
        RadiographError: UNREADABLE for a format or a compression that is not supported; MULTI_FRAME, TOO_LARGE.
    """
    import tifffile  # here because such files are rare

    source.seek(0)
    with refusing(name, "reading the TIFF header"), tifffile.TiffFile(source) as file:
        pages: list[Any] = file.pages[:_MOST_PAGES]
        found = [_page_of(page) for page in pages for _ in range(min(page.imagedepth, 2))]  # a stack counts as two
        number = choose_page(found, name, warnings)
        page = pages[number]
        check_size(name, page.imagelength, page.imagewidth, limits)
        kind = f"{page.bitspersample}-bit {_FORMATS.get(int(page.sampleformat), 'unknown')} samples"
        extra = len(page.extrasamples)
        channels = page.samplesperpixel - extra
        is_colour = channels == 3 and int(page.photometric) == _RGB and page.dtype in ("u1", "u2")
        if not (channels == 1 or is_colour) or page.dtype is None or page.dtype.kind not in "iuf":
            problem = f"the TIFF holds {page.samplesperpixel} x {kind}"
            raise fault(Fault.UNREADABLE, name, problem, "save it as grey of 8 or 16 bits, or 32-bit floating point")
        tag = page.tags.get(_ORIENTATION)
        orientation = 1 if tag is None else tag.value
        try:
            values = np.asarray(page.asarray())
        except (ValueError, NotImplementedError, ImportError) as error:
            decoded = _decode_with_opencv(source, page, number) if orientation == page.samplesperpixel == 1 else None
            if decoded is None:
                problem = f"the TIFF holds {kind} in a compression or packing that is not supported"
                raise fault(Fault.UNREADABLE, name, problem, "save it without compression") from error
            values = decoded
        if page.samplesperpixel > 1:
            values = np.moveaxis(values, page.axes.index("S"), -1)
            values = values[..., :3] if is_colour else values[..., 0]
        if int(page.photometric) == 0:  # white is zero
            values = -values.astype(np.float64)
    if extra:
        warnings.append("the picture has an alpha channel, which was dropped")
    return Samples(values, kind, orientation, channels + extra)


def _decode_with_opencv(source: BinaryIO, page: Any, number: int) -> AnyArray | None:
    """The values of a page of one channel, not turned; None for what OpenCV does not hold exactly."""
    import cv2

    packed = page.bitspersample in (10, 12, 14)
    if int(page.compression) not in _OPENCV_COMPRESSIONS or not (packed or page.bitspersample in (16, 32, 64)):
        return None
    source.seek(0)
    content = np.frombuffer(source.read(), np.uint8)
    is_read, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=(number, number + 1))
    expected = np.uint16 if packed else page.dtype
    if not is_read or len(pages) != 1 or pages[0].shape != page.shape or pages[0].dtype != expected:
        return None
    return np.asarray(pages[0] >> (16 - page.bitspersample) if packed else pages[0])


def _page_of(page: Any) -> Page:
    return Page(int(page.imagewidth), int(page.imagelength), bool(int(page.subfiletype) & 0b101))


def _tags(image: Image.Image) -> Any:
    """The tags of the page at which Pillow is."""
    return getattr(image, "tag_v2", {})
