"""DICOM attributes, read with suspicion: what a header says may be absent, of the wrong kind, or hostile."""

import math
import re
from collections.abc import Iterable

from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from cxrnet.imaging.coded_terms import coded_term
from cxrnet.imaging.defined_terms import UNKNOWN, presentable
from cxrnet.imaging.radiograph import IDENTIFIERS, PATIENT_TAGS, Fault, fault, printable

KEPT_TAGS = (
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PhotometricInterpretation",
    "PresentationIntentType",
    "PatientOrientation",
    "BurnedInAnnotation",
    "AnatomicRegionSequence",
    "ViewCodeSequence",
)
DESCRIPTIONS = (
    "SeriesDescription",
    "ProtocolName",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "StudyDescription",
)
"""Free text: only its known terms are kept; most have no such term."""
_MOST_ITEMS, _LONGEST_TEXT = 4, 256
_UID = re.compile(r"[0-9][0-9.]{0,63}")
# PS3.5 6.2, value representation CS, in either case because some devices write lower case.
_CODE_STRING = re.compile(r"[A-Za-z0-9_ ]{1,16}")


def is_uid(text: str) -> bool:
    """Return whether a text may stand for a UID: up to 64 digits and points; devices send components such as `02`."""
    return _UID.fullmatch(text) is not None


def label(keyword: str) -> str:
    """The attribute as the standard names it, for example "Rescale Slope (0028,1053)"."""
    tag = Tag(keyword)
    return f"{dictionary_description(tag)} ({tag.group:04x},{tag.element:04x})"


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...] | None:
    """The values of a numeric attribute: () where there are none, None where they are not finite numbers."""
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return ()
        values = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
        result = tuple(float(each) for each in values)
    except Exception:  # not numbers, or bytes of which pydicom makes no value, with an error of any kind
        return None
    return result if all(math.isfinite(each) for each in result) else None


def number(dataset: Dataset, keyword: str, name: str, *, default: float) -> float:
    """The only value of a numeric attribute, `default` where it has none.

    Raises:
        RadiographError: UNREADABLE where it is not one finite number.
    """
    values = numbers(dataset, keyword)
    if values == ():
        return default
    if values is None or len(values) > 1:
        raise fault(Fault.UNREADABLE, name, f"{label(keyword)} is not a number", "a single number is needed")
    return values[0]


def integer(dataset: Dataset, keyword: str, name: str, *, default: int | None = None) -> int:
    """The only value of an integer attribute, `default` where it has none.

    Raises:
        RadiographError: UNREADABLE where it is not one whole number, or has no value and no `default`.
    """
    values = numbers(dataset, keyword)
    if values == () and default is not None:
        return default
    if not values or len(values) > 1 or not values[0].is_integer():
        problem = f"{label(keyword)} is missing" if values == () else f"{label(keyword)} is not a whole number"
        raise fault(Fault.UNREADABLE, name, problem, "pixels cannot be read without it")
    return int(values[0])


def has_items(dataset: Dataset, keyword: str) -> bool:
    """Whether a sequence is there and not empty; one that cannot be read is, so that using it is refused."""
    try:
        return bool(dataset.get(keyword))
    except Exception:  # as above
        return True


def code(dataset: Dataset, keyword: str) -> str:
    """The code string of an attribute, several joined by a backslash, "" if it is missing.

    What is not a code string comes back as "?": free text can hold anything, a patient's name too.
    """
    try:
        value = dataset.get(keyword)
    except Exception:  # as above
        return "?"
    if value is None:
        return ""
    parts = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else ["?"]
    texts = [part.strip() if isinstance(part, str) else "?" for part in parts]
    if not any(texts):
        return ""
    return "\\".join(texts) if all(_CODE_STRING.fullmatch(text) for text in texts) else "?"


def kept_tags(dataset: Dataset) -> tuple[dict[str, str], list[str]]:
    """The attributes that a `Radiograph` carries along, as `presentable` shows them, and a warning for each unknown."""
    tags, warnings = {}, []
    for keyword in (*KEPT_TAGS, *DESCRIPTIONS):
        shown = presentable(keyword, text_of(dataset, keyword))
        if shown == UNKNOWN and keyword in DESCRIPTIONS:
            continue
        if shown == UNKNOWN:
            warnings.append(f"{label(keyword)} holds no known term; it says nothing about the image")
        if shown:
            tags[keyword] = shown
    return tags, warnings


def text_of(dataset: Dataset, keyword: str) -> str:
    """The text of an attribute, several values joined by a backslash; of a sequence of codes what they mean."""
    try:
        value = dataset.get(keyword) or ""
        if isinstance(value, Sequence):
            value = [_meaning(item) for item in value[:_MOST_ITEMS]]
        parts = [value] if isinstance(value, str) else [part for part in value if isinstance(part, str)]
    except Exception:  # as above
        return ""
    return "\\".join(part.strip() for part in parts)[:_LONGEST_TEXT]


def _meaning(item: Dataset) -> str:
    """What a code means: by its value, which has no language, or else by its Code Meaning."""
    values = (str(item.get(keyword) or "").strip() for keyword in ("CodeValue", "LongCodeValue"))
    scheme = str(item.get("CodingSchemeDesignator") or "").strip()
    known = (coded_term(value, scheme) for value in values)
    return next(filter(None, known), None) or item.get("CodeMeaning") or ""


def find_identifiers(dataset: Dataset) -> dict[str, str]:
    """The attributes that tell whose image it is, by keyword; printable, and cut where no identifier is as long."""
    found = {}
    for keyword in IDENTIFIERS:
        try:
            value = dataset.get(keyword)
            values = [value] if value is None or isinstance(value, str) else list(value)
            text = "\\".join(str(each) for each in values if each is not None).strip()
        except Exception:  # as above
            text = ""
        if text:
            found[keyword] = printable(text)
    return found


def patient_tags(dataset: Dataset) -> dict[str, str]:
    """Age and sex of the patient as the header has them, by keyword; "?" where the value is no code string."""
    found = {keyword: code(dataset, keyword) for keyword in PATIENT_TAGS}
    return {keyword: text for keyword, text in found.items() if text}


def spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, list[str], list[str]]:
    """Distance between pixel centres in mm (row, column), the steps taken and the warnings.

    Pixel Spacing (0028,0030), calibrated to the patient, goes before Imager Pixel Spacing (0018,1164), which
    is measured at the detector and divided by the magnification (0018,1114) where that is known
    (PS3.3 10.7.1.3 and C.8.7.10).
    """
    warnings: list[str] = []
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        values = numbers(dataset, keyword)
        if values == ():
            continue
        if values is None or len(values) != 2 or min(values) <= 0:
            given = " x ".join(f"{each:g}" for each in values or ())
            warnings.append(f"{label(keyword)} {given + ' mm ' if given else ''}is not usable and was ignored")
            continue
        steps = [f"spacing {values[0]:g} x {values[1]:g} mm from {label(keyword)}"]
        magnification = 1.0
        if keyword == "ImagerPixelSpacing":
            magnification = _magnification(dataset, steps, warnings)
        return (values[0] / magnification, values[1] / magnification), steps, warnings
    return None, [], warnings


def _magnification(dataset: Dataset, steps: list[str], warnings: list[str]) -> float:
    """Estimated Radiographic Magnification Factor (0018,1114), 1 where it is not known."""
    keyword = "EstimatedRadiographicMagnificationFactor"
    values = numbers(dataset, keyword)
    if values == ():
        return 1.0
    if values is None or len(values) != 1 or values[0] <= 0:
        warnings.append(f"{label(keyword)} is not usable and was ignored")
        return 1.0
    steps.append(f"spacing divided by {label(keyword)} {values[0]:g}")
    return values[0]
