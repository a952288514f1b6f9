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
    beginning = source.read(132)
    picture = _sniff_raster(beginning)
    is_dicom = beginning[128:] == b"DICM" or (picture is None and _BARE_DICOM.match(beginning) is not None)
    if picture is None and not is_dicom:  # before the whole of a large file is read for nothing
        raise fault(Fault.UNREADABLE, name, "the file is not in a known image format", _ACCEPTED)
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
