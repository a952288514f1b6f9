"""Radiographs that are full of canaries: words that must not come out of any door but those of DICOM."""

from __future__ import annotations

import struct
import warnings

from PIL import Image, PngImagePlugin
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from cxrnet.imaging.attributes import KEPT_TAGS
from tests.hostile.inputs.material import chest, encoded, grey, place_of

MARK = "ZZPHI"
"""What every canary begins with."""

_LONGEST = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "ST": 900, "LT": 900, "UT": 900, "UC": 64, "UR": 64}
_NEEDED = {"Rows", "Columns", "SOPClassUID", "PhotometricInterpretation", "SpecificCharacterSet"}


def canary(number: int, kind: str) -> str:
    """Return the canary of an element, as long as its kind may be."""
    text = f"{MARK}{number:05}"
    return text if kind in ("AE", "CS", "SH") else f"{text} {MARK}^SMITH"[: _LONGEST[kind]]


def full(*, kept: bool = True) -> Dataset:
    """Return the made-up image with a canary in every text element of the standard, private and nested ones too.

    Args:
        kept: Whether the attributes that findings tell of keep a sensible value.
    """
    dataset = chest()
    filled = 0
    for tag, (kind, _, _, is_retired, keyword) in DicomDictionary.items():
        group = tag >> 16
        if kind not in _LONGEST or group in (0, 2, 4) or is_retired or not keyword or keyword in _NEEDED:
            continue
        if kept and keyword in KEPT_TAGS:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.add_new(tag, kind, canary(filled, kind))
        filled += 1
    assert filled > 1000
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.99999.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.99999.2", "1.2.3.99999.3"
    block = dataset.private_block(0x0029, f"{MARK} MAKER", create=True)
    block.add_new(1, "LO", f"{MARK} private")
    nested = Dataset()
    nested.PatientID, nested.PatientName = f"{MARK}-nested", f"{MARK}^NESTED"
    dataset.OtherPatientIDsSequence = [nested]
    dataset.VOILUTFunction = None
    del dataset.VOILUTFunction, dataset.PresentationLUTShape
    return dataset


def dicom(*, kept: bool = True) -> bytes:
    """Return a file full of canaries, its preamble too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = encoded(full(kept=kept))
    return (f"{MARK} preamble".encode() + bytes(128))[:128] + data[128:]


def broken() -> dict[str, bytes]:
    """Return name -> bytes of files full of canaries, each broken in another place."""
    data = dicom()
    pixels = place_of(data, 0x7FE0, 0x10)
    rows = place_of(data, 0x28, 0x10)
    return {
        "cut": data[: (pixels + len(data)) // 2],
        "cut-in-the-header": data[: pixels // 2],
        "no-rows": data[:rows] + data[rows + 10 :],
        "rows-of-text": data[:rows] + struct.pack("<HH2sH", 0x28, 0x10, b"LO", 10) + b"ZZPHIrows " + data[rows + 10 :],
        "slope-of-text": data[:pixels] + struct.pack("<HH2sH", 0x28, 0x1053, b"DS", 10) + b"ZZPHI1234 " + data[pixels:],
        "photometric": encoded_with(PhotometricInterpretation="YBR_ZZPHI12"),
        "photometric-of-text": encoded_with(PhotometricInterpretation="ZZPHI"),
        "function": encoded_with(VOILUTFunction="ZZPHIFUNCTION", WindowCenter=5, WindowWidth=5),
        "shape": encoded_with(PresentationLUTShape="ZZPHISHAPE", Rows=7),
        "syntax": data.replace(b"1.2.840.10008.1.2.1\0", b"ZZPHI.syntax.of.a.na"),
    }


def encoded_with(**attributes: object) -> bytes:
    """Return a file full of canaries with further ones."""
    dataset = full()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        return encoded(dataset)


def picture(kind: str) -> bytes:
    """Return the made-up radiograph as PNG, JPEG or TIFF, with canaries in all that can be said next to the pixels."""
    import io

    buffer, image = io.BytesIO(), Image.fromarray(grey())
    exif = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        exif[tag] = f"{MARK} {tag}"
    options: dict[str, object] = {"exif": exif}
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("Comment", f"{MARK} comment")
        chunks.add_text("Patient", f"{MARK} name", zip=True)
        chunks.add_itxt("Title", f"{MARK} title")
        options["pnginfo"] = chunks
    if kind == "JPEG":
        options["comment"] = f"{MARK} comment"
    image.save(buffer, kind, **options)
    assert MARK.encode() in buffer.getvalue()
    return buffer.getvalue()


def holds_dicom(data: bytes) -> bool:
    """Return whether a file is a DICOM object, which may name a patient."""
    return data[128:132] == b"DICM"
