"""TIFF pages: which page is the picture, and the sample formats that Pillow does not hold exactly."""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from cxrnet.arrays import AnyArray
from cxrnet.imaging.radiograph import Fault, Limits, check_size, fault, refusing

_SUBFILE_TYPE, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _SAMPLE_FORMAT = 254, 258, 262, 274, 277, 339  # tags
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 5: "complex integer", 6: "complex"}
_EXACT = frozenset({(1, 1), (1, 2), (1, 4), (1, 8), (1, 12), (1, 16), (2, 16), (2, 32), (3, 32)})
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
    """The pages of an open TIFF; Pillow is left at the first."""
    pages = []
    for number in range(min(getattr(image, "n_frames", 1), _MOST_PAGES)):
        image.seek(number)
        kind = int(_tags(image).get(_SUBFILE_TYPE, 0))
        pages.append(Page(image.width, image.height, bool(kind & 0b101)))
    image.seek(0)
    return pages


def is_exact(image: Image.Image) -> bool:
    """Whether Pillow gives the values of the page as they are stored, or in the 8 bits that colour has here."""
    tags = _tags(image)
    formats, bits = set(tags.get(_SAMPLE_FORMAT, (1,))), set(tags.get(_BITS, (1,)))
    if len(formats) != 1 or len(bits) != 1:
        return False
    is_grey = int(tags.get(_PHOTOMETRIC, 1)) in (0, 1)
    if is_grey and int(tags.get(_SAMPLES, 1)) > 1:
        return (formats, bits) == ({1}, {8})
    return (formats.pop(), bits.pop()) in (_EXACT if is_grey else {(1, 1), (1, 2), (1, 4), (1, 8), (1, 16)})


def read_samples(source: BinaryIO, name: str, limits: Limits, warnings: list[str]) -> Samples:
    """The values of a grey TIFF in a format that Pillow does not hold.

    Raises:
        RadiographError: UNREADABLE for a format or a compression that is not supported; MULTI_FRAME, TOO_LARGE.
    """
    import tifffile  # here because such files are rare

    source.seek(0)
    with refusing(name, "reading the TIFF header"), tifffile.TiffFile(source) as file:
        found = [_page_of(page) for page in file.pages[:_MOST_PAGES]]
        page: Any = file.pages[choose_page(found, name, warnings)]
        check_size(name, page.imagelength, page.imagewidth, limits)
        kind = f"{page.bitspersample}-bit {_FORMATS.get(int(page.sampleformat), 'unknown')} samples"
        extra = len(page.extrasamples)
        if page.samplesperpixel - extra != 1 or page.dtype is None or page.dtype.kind not in "iuf":
            problem = f"the TIFF holds {page.samplesperpixel} x {kind}"
            raise fault(Fault.UNREADABLE, name, problem, "save it as grey of 8 or 16 bits, or 32-bit floating point")
        try:
            values = np.asarray(page.asarray())
        except ValueError as error:
            problem = f"the TIFF holds {kind} in a compression that is not supported"
            raise fault(Fault.UNREADABLE, name, problem, "save it without compression") from error
    if extra:
        values = np.take(values, 0, axis=page.axes.index("S"))
        warnings.append("the picture has an alpha channel, which was dropped")
    if int(page.photometric) == 0:  # white is zero
        values = -values.astype(np.float64)
    orientation = page.tags.get(_ORIENTATION)
    return Samples(values, kind, 1 if orientation is None else orientation.value, 1 + extra)


def _page_of(page: Any) -> Page:
    return Page(int(page.imagewidth), int(page.imagelength), bool(int(page.subfiletype) & 0b101))


def _tags(image: Image.Image) -> Any:
    """The tags of the page at which Pillow is."""
    return getattr(image, "tag_v2", {})
