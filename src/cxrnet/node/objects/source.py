"""The radiograph's file as its objects need it: whose it is, what to refer to, how it is shown.

The file is hostile until the contrary is known. It was decoded in a guarded child process; here its header alone is
read, with limits. What a library might repeat in a message (names, dates) is never handed to it: highdicom gets
`Source.reference`, which holds nothing of the patient, and `Source.patient_study` is put into the finished object.
"""

import hashlib
import io
import os
import re
import stat
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from cxrnet.errors import ObjectError
from cxrnet.imaging.attributes import code, label, numbers
from cxrnet.imaging.radiograph import printable
from cxrnet.node.objects.conformance import conform
from cxrnet.node.objects.lut import SHOWN, decimal, shown
from cxrnet.node.objects.modules import PATIENT_STUDY
from cxrnet.node.objects.values import conforming
from cxrnet.screening.finding import Finding

MAX_ATTRIBUTE_BYTES: Final = 2**20
"""Bytes in one attribute of a header."""

MAX_INFLATED_BYTES: Final = 32 * 2**20
"""Bytes that a deflated header may have."""

UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

_MOMENTS = (
    ("ContentDate", "ContentTime"),
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
    ("AcquisitionDateTime", "AcquisitionDateTime"),
)
_TAGS = (
    *PATIENT_STUDY, *SHOWN, *UIDS, *(keyword for pair in _MOMENTS for keyword in pair), "Modality", "ViewPosition",
    "SeriesNumber", "InstanceNumber", "PatientOrientation", "BodyPartExamined", "Laterality",
    "PhotometricInterpretation", "PixelSpacing", "BurnedInAnnotation", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_GROUP_LENGTH = b"\x02\0\0\0UL\x04\0"


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of a radiograph's file."""

    name: str  # what messages call it
    sop_class: str  # SOP Class UID of the image
    # The image as objects refer to it: UIDs, rows, columns; nothing of the patient. Its class is CR,
    # because highdicom asks of other classes for frames or a geometry, and does not know all.
    reference: Dataset
    patient_study: Dataset  # attributes of patient and study, to be put into an object as they are
    corrections: tuple[str, ...]  # what was invalid in them and in the grey values, for people; it holds no value
    grey: Dataset  # Modality and VOI LUT of the file, to be put into a presentation state
    date_time: tuple[str, str]  # date and time of the image, DICOM DA and TM
    # directions of rows and columns, as in PA images ("L", "F"); empty where the file does not say
    orientation: tuple[str, ...]
    is_chest: bool  # whether Body Part Examined is CHEST
    laterality: str  # L or R; empty where the file does not say
    is_inverted: bool  # whether small values are shown bright (MONOCHROME1)
    is_colour: bool  # whether the grey picture is stored as colour, so that no grayscale presentation state fits it
    burned_in: str  # YES, NO, or empty where the file does not say
    title: str  # modality, view, series and image by number, to distinguish the images of a study


def read_source(finding: Finding, path: Path) -> Source:
    """What the file of a scored or refused finding says of itself.

    Codes of an ObjectError: NOT_DICOM, NO_FILE, CHANGED since it was screened, NO_UID, UNREADABLE.
    """
    radiograph = finding.radiograph
    assert radiograph is not None
    name = printable(radiograph.name)
    if radiograph.format != "DICOM":
        raise ObjectError(
            "NOT_DICOM", f"{name}: is {radiograph.format}; DICOM objects need the DICOM file of the radiograph"
        )
    header = _read_header(path, name, radiograph.sha256)
    try:
        return _parse_header(header, finding, name)
    except ObjectError:
        raise
    except Exception as error:  # its text may quote the header
        raise _unreadable(name, error) from None


def _parse_header(header: Dataset, finding: Finding, name: str) -> Source:
    _refuse_huge(header, name)
    modality = code(header, "Modality").upper()
    numbered = [
        f"{what} {int(found[0])}"
        for what, keyword in (("series", "SeriesNumber"), ("image", "InstanceNumber"))
        if (found := numbers(header, keyword))
    ]
    orientation = tuple(code(header, "PatientOrientation").upper().split("\\"))
    laterality = code(header, "Laterality").upper()
    photometric = code(header, "PhotometricInterpretation").upper()
    patient_study = conform(header, PATIENT_STUDY)
    return Source(
        name=name,
        sop_class=_uid(header, "SOPClassUID", name),
        reference=_reference(header, finding, name),
        patient_study=patient_study.attributes,
        corrections=patient_study.corrections,
        grey=shown(header),
        date_time=_date_time(header),
        orientation=orientation if _is_orientation(orientation) else (),
        is_chest=code(header, "BodyPartExamined").upper() == "CHEST",
        laterality=laterality if laterality in ("L", "R") else "",
        is_inverted=photometric == "MONOCHROME1",
        is_colour=not photometric.startswith("MONOCHROME"),
        burned_in=burned if (burned := code(header, "BurnedInAnnotation").upper()) in ("YES", "NO") else "",
        title=", ".join(filter(None, (f"{modality} {code(header, 'ViewPosition').upper()}".strip(" ?"), *numbered))),
    )


def _is_orientation(directions: tuple[str, ...]) -> bool:
    """Whether these are directions of rows and of columns, along different axes of the body (PS3.3 C.7.6.1.1.1)."""
    axes = [["LRAPHF".find(letter) // 2 for letter in each] for each in directions]
    are_known = all(axis and -1 not in axis and len(set(axis)) == len(axis) for axis in axes)
    return are_known and len(axes) == 2 and axes[0][0] != axes[1][0]


def _read_header(path: Path, name: str, sha256: str) -> Dataset:
    """What the attributes `_TAGS` of a file are, if it is still the file that was screened."""
    try:
        # Should a pipe stand where the file was, opening it must not wait for a writer.
        with open(path, "rb", opener=lambda file, flags: os.open(file, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            is_same = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if not is_same or hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise ObjectError("CHANGED", f"{name}: is not the file that was screened any more; screen it again")
            file.seek(0)
            plain = _inflated(file)
            return pydicom.dcmread(
                plain, force=True, stop_before_pixels=True, specific_tags=list(_TAGS), defer_size=MAX_ATTRIBUTE_BYTES
            )
    except OSError as error:
        raise ObjectError("NO_FILE", f"{name}: cannot be read again ({error.strerror}); screen it again") from None
    except ObjectError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from None


def _inflated(file: BinaryIO) -> BinaryIO:
    """The file, or the beginning of what it holds deflated: pydicom would inflate all of it, whatever its size."""
    beginning = file.read(2**12)
    file.seek(0)
    deflated = DeflatedExplicitVRLittleEndian.encode()
    if beginning[132:140] != _GROUP_LENGTH or deflated not in beginning:
        return file
    end = 144 + int.from_bytes(beginning[140:144], "little")
    file.seek(end)
    header = zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), MAX_INFLATED_BYTES)
    plain = ExplicitVRLittleEndian.encode().ljust(len(deflated), b"\0")
    return io.BytesIO(beginning[:end].replace(deflated, plain) + header)


def _refuse_huge(header: Dataset, name: str) -> None:
    for tag in header.keys():  # noqa: SIM118  (items would be converted)
        element = header.get_item(tag, keep_deferred=True)
        if isinstance(element, RawDataElement) and element.value is None and element.length:
            problem = f"{name}: {label(keyword_for_tag(tag))} is {element.length} bytes long"
            raise ObjectError("UNREADABLE", f"{problem}; at most {MAX_ATTRIBUTE_BYTES} are read")


def _reference(header: Dataset, finding: Finding, name: str) -> Dataset:
    """The image as highdicom needs it; patient and study are left empty but for the UID of the study."""
    assert finding.radiograph is not None
    height, width = finding.radiograph.pixels.shape
    reference = Dataset()
    for keyword in UIDS[:3]:
        setattr(reference, keyword, _uid(header, keyword, name))
    reference.SOPClassUID = ComputedRadiographyImageStorage
    reference.Modality = code(header, "Modality").upper().strip("?") or "OT"
    reference.Rows, reference.Columns = (width, height) if finding.radiograph.turned % 180 else (height, width)
    reference.SamplesPerPixel = 1
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
        "ReferringPhysicianName",
    ):  # fmt: skip
        setattr(reference, keyword, "")
    reference.StudyDate = reference.StudyTime = None
    spacing = numbers(header, "PixelSpacing")
    if spacing is not None and len(spacing) == 2 and min(spacing) > 0:
        reference.PixelSpacing = [decimal(value) for value in spacing]
    if code(header, "LossyImageCompression") == "01":
        reference.LossyImageCompression = "01"
        ratios = numbers(header, "LossyImageCompressionRatio")
        if ratios and min(ratios) > 0:
            reference.LossyImageCompressionRatio = [decimal(value) for value in ratios]
        methods = code(header, "LossyImageCompressionMethod").strip("?")
        if methods:
            reference.LossyImageCompressionMethod = methods.split("\\")
    reference.file_meta = FileMetaDataset()
    reference.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return reference


def _uid(header: Dataset, keyword: str, name: str) -> str:
    value = header.get(keyword)
    if not value:
        problem = f"{label(keyword)} is missing"
    elif not isinstance(value, str) or conforming(keyword, "UI", value) is None:
        problem = f"{label(keyword)} is not a UID"
    else:
        return str(value)
    raise ObjectError("NO_UID", f"{name}: {problem}; DICOM objects refer to the image, its series and its study")


def _date_time(header: Dataset) -> tuple[str, str]:
    """When the picture was made, so that objects made of it twice are the same; now, where the file has no date."""
    for date_keyword, time_keyword in _MOMENTS:
        texts = [str(header.get(keyword) or "") for keyword in (date_keyword, time_keyword)]
        if date_keyword == time_keyword:
            texts = [texts[0][:8], re.split("[+-]", texts[0][8:])[0]]
        date, time = conforming(date_keyword, "DA", texts[0]), conforming(time_keyword, "TM", texts[1])
        if date:
            return date, time or "000000"
    now = datetime.now()
    return now.strftime("%Y%m%d"), now.strftime("%H%M%S")


def _unreadable(name: str, error: Exception) -> ObjectError:
    problem = f"the header could not be read ({type(error).__name__})"
    return ObjectError("UNREADABLE", f"{name}: {problem}; it is damaged, and objects cannot be filed without it")
