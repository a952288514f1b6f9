"""Whole DICOM files to damage."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path

import gdcm
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import ExplicitVRLittleEndian

from tests.imaging.conftest import dicom_of, recompress
from tests.material import draw_xray


def chest(**attributes: object) -> Dataset:
    """The made-up radiograph, 16-bit, as a computed radiograph; None removes an attribute."""
    usual = {"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientID": "P1"}
    attributes = usual | {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.4.5"} | attributes
    return dicom_of(grey().astype(np.uint16) * 16, bits=12, **attributes)


def grey() -> np.ndarray:
    """uint8 [130, 150], the made-up radiograph."""
    return draw_xray(3, height=130, width=150)[0]


def encoded(dataset: Dataset) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def plain() -> bytes:
    """The file of `chest()`: explicit VR, little endian."""
    return encoded(chest())


def compressed(frame: bytes, syntax: str, **attributes: object) -> bytes:
    """A file whose one frame is `frame`, whatever that is."""
    dataset = chest(**{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7} | attributes)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return encoded(dataset)


def recoded(syntax: str) -> bytes:
    """`chest()` in another transfer syntax, by pydicom."""
    dataset = chest()
    dataset.compress(syntax, generate_instance_uid=False)
    return encoded(dataset)


def deflated(content: bytes) -> bytes:
    """A file in the deflated transfer syntax: the meta information, then `content` as it is."""
    dataset = chest()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = encoded(dataset)
    explicit, deflate = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"
    meta = data[: body_of(data)]
    longer = len(deflate) - len(explicit)
    length = struct.unpack("<I", meta[140:144])[0] + longer
    meta = meta[:140] + struct.pack("<I", length) + meta[144:]
    return (
        meta.replace(struct.pack("<H", len(explicit)) + explicit, struct.pack("<H", len(deflate)) + deflate) + content
    )


def deflate(content: bytes, times: int = 1) -> bytes:
    """`content`, `times` over, as a raw deflate stream; all but the first are copies of the same bytes."""
    deflater = zlib.compressobj(9, wbits=-15)
    block = deflater.compress(content) + deflater.flush(zlib.Z_FULL_FLUSH)
    return block * times + deflater.flush()


def body_of(data: bytes) -> int:
    """Where the data set begins behind the file meta information."""
    return 144 + struct.unpack("<I", data[140:144])[0]


def place_of(data: bytes, group: int, element: int) -> int:
    """Where an element of the data set begins, in explicit VR."""
    return data.index(struct.pack("<HH", group, element), body_of(data))


def element(group: int, number: int, kind: str, value: bytes, *, length: int | None = None) -> bytes:
    """An element in explicit VR, little endian, with the true length or a false one."""
    length = len(value) if length is None else length
    head = struct.pack("<HH2s", group, number, kind.encode())
    is_long = kind in ("OB", "OW", "SQ", "UN", "UT", "OF", "OD", "UC")
    return head + (struct.pack("<HI", 0, length) if is_long else struct.pack("<H", length & 0xFFFF)) + value


def with_element(new: bytes, group: int, number: int) -> bytes:
    """`plain()` with an element of another encoding in the place of its own."""
    data = plain()
    at = place_of(data, group, number)
    kind = data[at + 4 : at + 6].decode()
    if kind in ("OB", "OW", "SQ", "UN", "UT"):
        length = 12 + struct.unpack("<I", data[at + 8 : at + 12])[0]
    else:
        length = 8 + struct.unpack("<H", data[at + 6 : at + 8])[0]
    return data[:at] + new + data[at + length :]


def jpeg(size: tuple[int, int] = (150, 130), mode: str = "L") -> bytes:
    """A baseline JPEG."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


def jpeg2000() -> bytes:
    """A JPEG 2000 codestream of the made-up radiograph."""
    buffer = io.BytesIO()
    Image.fromarray(grey()).save(buffer, "JPEG2000", no_jp2=True)
    return buffer.getvalue()


def jpeg_ls() -> bytes:
    """A JPEG-LS frame of the made-up radiograph, by GDCM: nothing else here writes one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xray.dcm"
        data = chest(BitsAllocated=8, BitsStored=8, HighBit=7)
        data.PixelData = grey().tobytes()
        path.write_bytes(encoded(data))
        pixels = dcmread(recompress(path, gdcm.TransferSyntax.JPEGLSLossless)).PixelData
    return get_frame(pixels, 0, number_of_frames=1)


def png(picture: np.ndarray | None = None, **options: object) -> bytes:
    """A PNG of the made-up radiograph, or of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(grey() if picture is None else picture).save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG, with the right checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG with this header, and whatever chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")
