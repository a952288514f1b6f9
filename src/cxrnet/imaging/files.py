"""Any file to a radiograph, in this process. Codecs can crash or hang: outside tests, use `decoding`."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import warnings
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, fault

if TYPE_CHECKING:
    from cxrnet.imaging.label_map import LabelMap

_ACCEPTED = "DICOM, PNG, JPEG, TIFF, WebP, BMP and still GIF files are accepted"
_RASTER_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF8": "GIF",
}
_UNPACK = "unpack it and give the images"
# Of what people take for an image: place, first bytes there, what it is, what to do.
_OTHER_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PK\3\4", "a ZIP archive", _UNPACK),
    (0, b"PK\5\6", "an empty ZIP archive", _UNPACK),
    (0, b"\x1f\x8b", "gzip-compressed", _UNPACK),
    (0, b"BZh", "bzip2-compressed", _UNPACK),
    (0, b"\xfd7zXZ\0", "xz-compressed", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"version https://git-lfs", "a pointer of Git LFS", "fetch the image with git lfs pull"),
    (0, b"/annex/objects/", "a pointer of git-annex", "fetch the image with git annex get"),
    (0, b"%PDF", "a PDF document", _ACCEPTED),
    (0, b"%!PS", "PostScript", _ACCEPTED),
    (344, b"n+1\0", "a NIfTI volume", _ACCEPTED),
    (344, b"ni1\0", "the header of a NIfTI volume", _ACCEPTED),
    (0, b"NRRD0", "an NRRD volume", _ACCEPTED),
    (0, b"ObjectType", "a MetaImage", _ACCEPTED),
    (0, b"\x89HDF", "an HDF5 file", _ACCEPTED),
    (0, b"\x93NUMPY", "a NumPy array", _ACCEPTED),
    (0, b"SIMPLE  =", "a FITS file", _ACCEPTED),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", _ACCEPTED),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 codestream", _ACCEPTED),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture", _ACCEPTED),
    (0, b"\xff\x0a", "a JPEG XL picture", _ACCEPTED),
    (4, b"ftyphe", "a HEIF picture", _ACCEPTED),
    (4, b"ftypmif1", "a HEIF picture", _ACCEPTED),
    (4, b"ftypavif", "an AVIF picture", _ACCEPTED),
    (4, b"ftyp", "a video", _ACCEPTED),
    (0, b"<", "HTML or XML", "download or export the image again"),
)
# The first element of a data set without preamble: group 2 or 8, then a value representation or a short length.
_BARE_DICOM = re.compile(rb"[\x02\x08]\0.\0([A-Z]{2}|..\0\0)", re.DOTALL)


def read_file(
    path: str | os.PathLike[str], *, name: str | None = None, limits: Limits, identifiers: bool = False
) -> Radiograph:
    """The radiograph in a file, whatever its format; the first bytes decide, not the name."""
    name = Path(path).name if name is None else name
    try:
        with open(path, "rb") as source, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote values of the header
            return _read_source(source, name=name, limits=limits, identifiers=identifiers)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
        problem = "permission denied" if isinstance(error, PermissionError) else f"cannot be read ({reason})"
        raise fault(Fault.UNREADABLE, name, problem, "a readable file is needed") from error


def _read_source(source: BufferedReader, *, name: str, limits: Limits, identifiers: bool) -> Radiograph:
    """The radiograph in an open file, by the reader for its format."""
    beginning = source.read(512)
    picture = _sniff_raster(beginning)
    is_dicom = beginning[128:132] == b"DICM" or (picture is None and _BARE_DICOM.match(beginning) is not None)
    if picture is None and not is_dicom:  # before the whole of a large file is read for nothing
        raise fault(Fault.UNREADABLE, name, *_other_format(beginning))
    source.seek(0)
    sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    source.seek(0)
    if is_dicom:
        from cxrnet.imaging.dicom import read_dicom  # each reader's libraries load when it is needed

        return read_dicom(source, name=name, sha256=sha256, limits=limits, identifiers=identifiers)
    from cxrnet.imaging.raster import read_raster

    assert picture is not None
    radiograph = read_raster(source, picture, name=name, sha256=sha256, limits=limits)
    return replace(radiograph, identifiers={}) if identifiers else radiograph


def read_labels(path: str | os.PathLike[str], *, name: str, limits: Limits) -> LabelMap:
    """The stored values of the mask in a file, as `read_file` reads a radiograph."""
    from cxrnet.imaging.label_map import LabelMap, read_label_map

    try:
        with open(path, "rb") as source, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = _sniff_raster(source.read(132))
            source.seek(0)
            if picture is None:
                return LabelMap.of_radiograph(_read_source(source, name=name, limits=limits, identifiers=False))
            return read_label_map(source, picture, name=name, limits=limits)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise fault(Fault.UNREADABLE, name, f"cannot be read ({reason})", "a readable file is needed") from error


def _sniff_raster(beginning: bytes) -> str | None:
    """Pillow's name for the format that a file begins like, None for no picture."""
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for mark, kind in _RASTER_SIGNATURES.items() if beginning.startswith(mark)), None)


def _other_format(beginning: bytes) -> tuple[str, str]:
    """What a file is that is no image of ours, as far as its first 512 bytes tell, and what to do."""
    shown = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()  # of text
    for place, mark, kind, remedy in _OTHER_SIGNATURES:
        if beginning.startswith(mark, place) or (mark == b"<" and shown.startswith(mark)):
            return f"the file is not in a known image format ({kind})", remedy
    return "the file is not in a known image format", _ACCEPTED
