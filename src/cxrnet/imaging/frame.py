"""The stored values of a DICOM image: the header is checked first, then one frame is decoded."""

import re
import warnings

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from cxrnet.arrays import AnyArray
from cxrnet.imaging.attributes import integer, label
from cxrnet.imaging.codestream import FrameHeader, decode_extended, decode_jpeg, join_frame, read_frame_header
from cxrnet.imaging.radiograph import Fault, Limits, check_size, fault, refusing
from cxrnet.imaging.signedness import find_sign, with_sign

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_BITS_ALLOCATED = {"PixelData": (8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
# Retired processes that pydicom has no decoder for: progressive, and extended by other processes (PS3.5 A.4.1).
_RETIRED_JPEG = tuple(UID(f"1.2.840.10008.1.2.4.{number}") for number in (52, 53, 54, 55, 56))
_WITH_FRAME_HEADER = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes, *_RETIRED_JPEG)


def read_frame(dataset: Dataset, name: str, limits: Limits, warnings: list[str], *, samples: int = 1) -> AnyArray:
    """Stored values of the first frame, any real type: [height, width], or [height, width, 3] of a colour image.

    Bits outside Bits Stored (0028,0101), where old files keep overlays, are dropped.

    Args:
        dataset: The header and the pixel data.
        name: The input, for messages.
        limits: Sizes that are accepted.
        warnings: Receives what is odd.
        samples: Values of each pixel that the photometric interpretation calls for.

    Raises:
        RadiographError: UNREADABLE, TOO_SMALL or TOO_LARGE.
    """
    keyword = next(keyword for keyword in PIXEL_KEYWORDS if keyword in dataset)
    height, width = (integer(dataset, each, name) for each in ("Rows", "Columns"))
    check_size(name, height, width, limits)
    given = integer(dataset, "SamplesPerPixel", name)
    allocated = integer(dataset, "BitsAllocated", name)
    _require(given == samples, name, f"{label('SamplesPerPixel')} is {given}", f"such an image has {samples}")
    accepted = " or ".join(str(bits) for bits in _BITS_ALLOCATED[keyword])
    problem = f"{label('BitsAllocated')} is {allocated}"
    _require(allocated in _BITS_ALLOCATED[keyword], name, problem, f"{accepted} is accepted")
    if keyword == "PixelData":
        _check_bits(dataset, name, allocated)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    decoder = None if syntax in _RETIRED_JPEG else _find_decoder(syntax, name)
    dataset.NumberOfFrames = 1  # whatever follows the first frame is no part of the image
    if samples > 1 and "PlanarConfiguration" not in dataset:
        dataset.PlanarConfiguration = 0
    header = None
    with refusing(name, f"reading the {syntax_name(syntax)} frame"):
        if syntax.is_encapsulated:
            frame = join_frame(dataset.PixelData, syntax)
        if syntax in _WITH_FRAME_HEADER:
            header = _check_frame_header(read_frame_header(frame), height, width, samples, name)
            if syntax in (JPEGExtended12Bit, *_RETIRED_JPEG) and header.bits == 12:
                return decode_extended(frame, height, width)
            if decoder is None or (syntax == JPEGBaseline8Bit and allocated > 8):
                return decode_jpeg(frame)
        elif not syntax.is_encapsulated:
            actual, expected = len(dataset[keyword].value), height * width * samples * allocated // 8
            if dataset.PhotometricInterpretation == "YBR_FULL_422" and actual < expected:  # some senders halve nothing
                expected = expected * 2 // 3
            _check_length(actual, expected, name, warnings)
        if syntax.is_encapsulated:
            dataset.PixelData = encapsulate([frame])
        assert decoder is not None  # only the retired processes have none
        values = _decode(dataset, decoder, name, warnings)
    return values if keyword != "PixelData" else _with_right_sign(dataset, values, header, warnings)


def syntax_name(syntax: str) -> str:
    """A transfer syntax as PS3.6 names it, its number where it does not; other text is not repeated."""
    return UID(syntax).name if re.fullmatch(r"[0-9.]{1,64}", syntax) else "an unknown transfer syntax"


def _check_bits(dataset: Dataset, name: str, allocated: int) -> None:
    """Bits Stored and High Bit within Bits Allocated, and a sign that is known (PS3.3 C.7.6.3.1)."""
    stored = integer(dataset, "BitsStored", name)
    high = integer(dataset, "HighBit", name, default=stored - 1)
    sign = integer(dataset, "PixelRepresentation", name)
    problem = f"{label('BitsStored')} is {stored} of {allocated} allocated"
    _require(1 <= stored <= allocated, name, problem, "it cannot be more")
    problem = f"{label('HighBit')} is {high} for {stored} bits stored of {allocated}"
    _require(stored - 1 <= high < allocated, name, problem, "it is usually one less than the bits stored")
    _require(sign in (0, 1), name, f"{label('PixelRepresentation')} is {sign}", "0 or 1 is accepted")


def _check_frame_header(header: FrameHeader | None, height: int, width: int, samples: int, name: str) -> FrameHeader:
    """The header of a compressed frame that has the size and the components that the DICOM header says."""
    if header is None:
        problem = "the compressed frame has no valid header"
        raise fault(Fault.UNREADABLE, name, problem, "the file is damaged")
    problem = f"the compressed frame is {header.width} x {header.height}, the header says {width} x {height}"
    _require((header.height, header.width) == (height, width), name, problem, "the two must agree")
    problem = f"the compressed frame has {header.components} components"
    _require(header.components == samples, name, problem, f"such an image has {samples}")
    return header


def _check_length(actual: int, expected: int, name: str, warnings: list[str]) -> None:
    """Uncompressed pixels are all there; a byte more fills an odd length."""
    problem = f"the pixel data is {actual} bytes of {expected}"
    _require(actual >= expected, name, problem, "the file is truncated or its header is wrong")
    if actual > expected + 1:
        warnings.append(f"the pixel data is {actual} bytes, a frame is {expected}; the first frame was read")


def _find_decoder(syntax: UID, name: str) -> Decoder:
    """The decoder that pydicom has for a transfer syntax.

    Raises:
        RadiographError: UNREADABLE if there are no pixels.
    """
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder = None
    if decoder is None or not decoder.is_available:
        remedy = "send it uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE"
        raise fault(Fault.UNREADABLE, name, f"no decoder for {syntax_name(syntax)}", remedy)
    return decoder


def _decode(dataset: Dataset, decoder: Decoder, name: str, noted: list[str]) -> AnyArray:
    """Stored values of the first frame from pydicom and the decoders behind it."""
    syntax = decoder.UID
    # pydicom drops what lies above Bits Stored but takes no note of High Bit: informed that the lower bits are stored
    # ones too, it drops the right ones, and the shift below removes the rest.
    shift = 0
    if "HighBit" in dataset and not (syntax in _WITH_FRAME_HEADER or "PixelData" not in dataset):
        shift = int(dataset.HighBit) + 1 - int(dataset.BitsStored)
        dataset.BitsStored = int(dataset.HighBit) + 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plugin = _choose_plugin(syntax, decoder.available_plugins)
        values, _ = decoder.as_array(dataset, index=0, decoding_plugin=plugin)
    excess = max((_excess(str(each.message)) for each in caught), default=0)
    if excess >= min(values.shape[:2]):  # a row or a column: the frame is of another size
        raise fault(Fault.UNREADABLE, name, f"an RLE segment is {excess} bytes too long", "the file is damaged")
    if excess:
        noted.append(f"the RLE segments hold up to {excess} bytes beyond the last pixel, which were dropped")
    return np.asarray(np.right_shift(values, shift) if shift else values)


def _with_right_sign(dataset: Dataset, values: AnyArray, frame: FrameHeader | None, warnings: list[str]) -> AnyArray:
    """The values, signed or not as the picture shows them to be where header, codestream and pixels contradict."""
    declared = dataset.PixelRepresentation == 1
    coded = frame if frame is not None and frame.is_signed is not None else None  # only JPEG 2000 names the sign
    bits = int(dataset.BitsStored) if coded is None else coded.bits
    is_signed = find_sign(values, bits, is_signed=declared)
    if is_signed == declared and (coded is None or coded.is_signed == declared):
        return values
    sign = "signed" if is_signed else "unsigned"
    warnings.append(f"{label('PixelRepresentation')} contradicts the pixels, which were read as {sign}")
    kind = "i8" if bits > 16 else "i2" if is_signed else "u2"
    return with_sign(values, bits, is_signed=is_signed).astype(kind)


def _excess(message: str) -> int:
    """Bytes that an RLE segment holds beyond the last pixel, by pydicom's warning; 0 for another warning."""
    found = re.search(r"non-conformant padding - (\d+) vs\. (\d+)", message)
    return int(found[1]) - int(found[2]) if found else 0


def _choose_plugin(syntax: UID, available: tuple[str, ...]) -> str:
    """The decoder for `syntax`, the same wherever the program runs, "" for any where it is not installed.

    pydicom's own RLE decoder cannot panic as pylibjpeg-rle does; GDCM takes half again as long for JPEG 2000.
    """
    wanted = "gdcm"
    if syntax == RLELossless:
        wanted = "pydicom"
    elif syntax in JPEG2000TransferSyntaxes:
        wanted = "pylibjpeg"
    return wanted if wanted in available else ""


def _require(condition: bool, name: str, problem: str, remedy: str) -> None:
    """Refuse the file as UNREADABLE unless `condition` holds."""
    if not condition:
        raise fault(Fault.UNREADABLE, name, problem, remedy)
