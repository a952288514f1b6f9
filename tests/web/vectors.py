"""Images of every form that the page reads: those of pydicom, and made-up ones of each depth, sign, table and size."""

from __future__ import annotations

from collections.abc import Container
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, ImplicitVRLittleEndian

OF_PYDICOM = (
    "RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm", "RG3_UNCR.dcm", "RG3_J2KI.dcm", "693_UNCR.dcm", "693_J2KI.dcm",
    "MR2_UNCR.dcm", "MR2_J2KI.dcm", "JPEG-LL.dcm", "JPEG2000.dcm", "JPEG2000-embedded-sequence-delimiter.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm", "CT_small.dcm", "MR_small.dcm",
    "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "J2K_pixelrep_mismatch.dcm", "image_dfl.dcm", "mlut_18.dcm", "vlut_04.dcm",
    "bad_sequence.dcm", "explicit_VR-UN.dcm", "examples_overlay.dcm", "OBXXXX1A.dcm", "emri_small.dcm", "no_meta.dcm",
    "rtplan.dcm", "JPEGLSNearLossless_16.dcm",
)  # fmt: skip
"""Files of pydicom, those that are refused in the same words included."""

FEW = (
    "RG1_J2KR.dcm", "693_J2KI.dcm", "JPEG-LL.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "OBXXXX1A.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "mlut_18.dcm", "no_meta.dcm", "rtplan.dcm", "grey1.png", "tinted.png",
    "colour.png", "grey.jpg", "340x300.png", "1001x311.png", "truncated.png", "unsigned8.dcm", "signed16.dcm",
    "implicit.dcm", "inverse.dcm", "sigmoid.dcm", "padding.dcm", "modality.dcm", "voi.dcm", "lateral.dcm",
    "mirrored.dcm", "accents.dcm", "clipped-bright.dcm", "spacing.dcm",
    "signed-called-unsigned.dcm", "padding-unsigned.dcm", "short-table.dcm", "series.dcm", "view-code.dcm",
)  # fmt: skip
"""One of each codec, depth, sign, table, step of size, refusal and warning."""


def chest(height=480, width=520, *, bits=8, seed=0):
    """Return a made-up chest, uint16 [height, width], of so many bits."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    lungs = np.zeros((height, width))
    for middle in (0.3, 0.7):
        lungs = np.maximum(lungs, 1 - ((rows - 0.5) / 0.34) ** 2 - ((columns - middle) / 0.15) ** 2)
    grey = 0.75 - 0.5 * np.clip(4 * lungs, 0, 1) + 0.05 * np.sin(60 * rows) * (lungs > 0) + 0.1 * rows
    grey = cv2.GaussianBlur(grey, (0, 0), 2) + rng.normal(0, 0.01, grey.shape)
    return (grey.clip(0, 1) * (2**bits - 1)).round().astype(np.uint16)


def dicom(pixels, *, bits=16, signed=False, syntax=ExplicitVRLittleEndian, **elements):
    """Return a DICOM file of the pixels, uint16 or int16 [height, width], with further elements."""
    allocated = 8 if bits <= 8 else 16
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.Modality = "DX"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    kind = {8: np.uint8, 16: np.int16 if signed else np.uint16}[allocated]
    dataset.PixelData = pixels.astype(kind).tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        if isinstance(value, DataElement):
            dataset.add(value)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def table(entries, first, bits=16):
    """Return the item of a look-up table."""
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = np.asarray(entries, np.uint16).tobytes()
    item["LUTDescriptor"].VR = "US"
    item["LUTData"].VR = "OW"
    return item


def made_up():
    """Yield names and files that are made here."""
    encoded = lambda kind, pixels, *options: cv2.imencode(kind, pixels, *options)[1].tobytes()  # noqa: E731
    grey = chest().astype(np.uint8)
    yield "grey8.png", encoded(".png", grey)
    yield "grey16.png", encoded(".png", chest(bits=16))
    yield "grey1.png", encoded(".png", (grey > 120).astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
    yield "tinted.png", encoded(".png", np.dstack([grey, grey, (grey * 0.97).astype(np.uint8)]))
    yield "alpha.png", encoded(".png", np.dstack([grey, grey, grey, np.full_like(grey, 255)]))
    yield "rgb16.png", encoded(".png", np.dstack([chest(bits=16)] * 3))
    yield "colour.png", encoded(".png", np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    yield "grey.jpg", encoded(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 90])
    for height, width in ((300, 340), (600, 680), (900, 1020), (311, 1001), (2001, 1777), (200, 220), (900, 200)):
        yield f"{width}x{height}.png", encoded(".png", chest(height, width, bits=16, seed=height))
    yield "constant.png", encoded(".png", np.full((200, 200), 7, np.uint8))
    yield "small.png", encoded(".png", grey[:40, :400])
    yield "truncated.png", encoded(".png", grey)[:9000]
    for bits in (8, 10, 12, 14, 15, 16):
        yield f"unsigned{bits}.dcm", dicom(chest(bits=bits), bits=bits)
    low = chest(bits=12).astype(np.int32) - 2048
    yield "signed12.dcm", dicom(low, bits=12, signed=True)
    yield "signed16.dcm", dicom(low * 8, signed=True, RescaleSlope="0.5", RescaleIntercept="-100")
    yield "signed-called-unsigned.dcm", dicom(low & 0xFFF, bits=12)
    yield "unsigned-called-signed.dcm", dicom(chest(bits=16).view(np.int16), signed=True)
    yield "implicit.dcm", dicom(chest(bits=12), bits=12, syntax=ImplicitVRLittleEndian)
    yield "inverse.dcm", dicom(4095 - chest(bits=12), bits=12, PhotometricInterpretation="MONOCHROME1")
    window = {"WindowCenter": "2000", "WindowWidth": "1500"}
    yield "window.dcm", dicom(chest(bits=12), bits=12, **window)
    yield "sigmoid.dcm", dicom(chest(bits=12), bits=12, **window, VOILUTFunction="SIGMOID")
    padded = chest(bits=12)
    padded[:40] = 0
    yield "padding.dcm", dicom(padded, bits=12, PixelPaddingValue=0, PixelPaddingRangeLimit=20)
    yield "padding-everywhere.dcm", dicom(padded, bits=12, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    signed = low.astype(np.int16)
    signed[:40] = -2048
    padding = DataElement("PixelPaddingValue", "US", 63488)  # -2048 with the other sign
    yield "padding-unsigned.dcm", dicom(signed, bits=12, signed=True, PixelPaddingValue=padding)
    square = (np.arange(4096) / 4095) ** 2 * 65535
    yield "modality.dcm", dicom(chest(bits=12), bits=12, ModalityLUTSequence=[table(square, 0)])
    yield "voi.dcm", dicom(chest(bits=12), bits=12, VOILUTSequence=[table(square, 0)])
    short = table(np.arange(4096) * 16, 0)
    short.LUTDescriptor = [8000, 0, 16]
    yield "short-table.dcm", dicom(chest(bits=12), bits=12, VOILUTSequence=[short])
    yield "falling.dcm", dicom(chest(bits=12), bits=12, VOILUTSequence=[table(square[::-1], 0)])
    yield "lateral.dcm", dicom(chest(bits=12), bits=12, ViewPosition="LL", BodyPartExamined="SMITH JOHN")
    yield from attributes()
    clipped = chest(bits=12)
    yield "clipped-bright.dcm", dicom(clipped.clip(0, int(np.quantile(clipped, 0.6))), bits=12)
    yield "clipped-dark.png", encoded(".png", chest(bits=16).clip(int(np.quantile(chest(bits=16), 0.3)), 65535))
    yield "spacing.dcm", dicom(chest(bits=12), bits=12, ImagerPixelSpacing=["0.2", "0.2"])
    yield "deep.dcm", dicom((chest(bits=16) // 16 + 30000), bits=16)  # fills a small part of its range


def attributes():
    """Yield names and files whose attributes speak for or against a frontal chest, or say nothing."""
    values = {
        "decubitus": {"ViewPosition": "LLD", "PatientOrientation": ["L", "F"]},
        "mirrored": {"PatientOrientation": ["R", "F"]},
        "from-the-side": {"PatientOrientation": ["A", "F"]},
        "no-orientation": {"PatientOrientation": ["JOHN", "SMITH"]},
        "region": {"AnatomicRegionSequence": [coded("Hand"), coded("Foot")]},
        "views": {"ViewCodeSequence": [coded("left lateral")], "SpecificCharacterSet": "ISO_IR 192"},
        "accents": {"ViewCodeSequence": [coded("T\u00f3rax lateral")], "SpecificCharacterSet": "ISO_IR 192"},
        "latin": {"AnatomicRegionSequence": [coded("T\u00f3rax")], "SpecificCharacterSet": "ISO_IR 100"},
        "both-views": {"ViewPosition": "PA", "BodyPartExamined": "CHEST PA LAT"},
        "torax": {"BodyPartExamined": "TORAX", "ViewPosition": "AP", "BurnedInAnnotation": "YES"},
        "of-ct": {"Modality": "CT"},
        "no-modality": {"Modality": "DOE"},
        "series": {"SeriesDescription": "W Chest Lat."},
        "series-of-two-views": {"SeriesDescription": "Chest PA + LAT", "StudyDescription": "XR CHEST"},
        "study": {"StudyDescription": "XR HAND LEFT"},
        "study-of-two-parts": {"StudyDescription": "Chest and knee"},
        "lordotic": {"ViewPosition": "AP LORDOTIC"},
        "side-view": {"ViewPosition": "SIDE VIEW"},
        "series-and-view": {"SeriesDescription": "LATERAL", "ViewPosition": "AP"},
        "one-word": {"ViewPosition": "CHESTLAT"},
        "heart-and-lungs": {"BodyPartExamined": "HEART AND LUNGS", "ProtocolName": "Thorax L-L"},
        "supine": {"ViewPosition": "DECUBITO SUPINO"},
        "region-code": {"AnatomicRegionSequence": [coded("Mano", "T-D8700", "SRT")]},
        "view-code": {"ViewCodeSequence": [coded("", "399173006", "SCT")]},
        "private-code": {"ViewCodeSequence": [coded("PA", "399173006", "99ACME")]},
    }
    for name, elements in values.items():
        yield f"{name}.dcm", dicom(chest(bits=12), bits=12, **elements)


def coded(meaning, value="1", scheme="99TEST"):
    """Return a code with this meaning."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def framed():
    """Yield names and files that equalising by rank treats in a way of its own; one is twice the prepared size."""
    for frame, grey in (("black", 0), ("white", 65535)):
        image = np.full((300, 340), grey, np.uint16)
        image[25:-10, 40:-30] = chest(265, 270, bits=16)
        yield f"{frame}-frame.png", cv2.imencode(".png", image)[1].tobytes()
    wide = np.full((300, 340), 65535, np.uint16)
    wide[100:200] = chest(100, 340, bits=16)  # the frame is wider than the quarter that is left out
    yield "wide-frame.png", cv2.imencode(".png", wide)[1].tobytes()
    clipped = chest(300, 340, bits=16).clip(20000, 45000)
    yield "clipped.png", cv2.imencode(".png", clipped)[1].tobytes()
    yield "halved.png", cv2.imencode(".png", chest(600, 680, bits=16))[1].tobytes()
    yield "clipped8.png", cv2.imencode(".png", (clipped // 257).astype(np.uint8))[1].tobytes()


def write_vectors(folder: Path, names: Container[str] | None = None) -> list[Path]:
    """Write the files with these names, by default all, into a folder and return their paths."""
    paths = []
    for name in OF_PYDICOM:
        found = get_testdata_file(name, download=False)
        if found is not None and (names is None or name in names):
            paths.append(folder / name)
            paths[-1].write_bytes(Path(str(found)).read_bytes())
    for name, content in made_up():
        if names is None or name in names:
            paths.append(folder / name)
            paths[-1].write_bytes(content)
    assert len({*paths}) == len(paths)
    return paths
