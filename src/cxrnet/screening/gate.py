"""The gate: whether an image may be given a score at all, and whether the score comes with a warning.

It asks what a DICOM file says of itself, what the picture shows, and whether the lungs are such as a chest can have.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cxrnet.arrays import Bool, Float32
from cxrnet.imaging.defined_terms import RADIOGRAPHY, UNKNOWN, body_part, plane, projection
from cxrnet.model.gate_runtime import GatePrediction

MIN_LUNG_FRACTION, MAX_LUNG_FRACTION = 0.06, 0.70
"""Share of the image that lungs can cover: 0.08 to 0.59 in 1,181 hand-drawn masks of two conventions."""

MIN_LEVELS = 16
"""Minimum number of grey levels: with fewer, equalising makes steps of what was noise."""

MIN_RANGE = 0.16
"""Minimum distance of the 1st and the 99th percentile, as a share of the whole range of greys; 8-bit images only."""

MAX_SAMPLES = 250_000
"""Pixels that are looked at for contrast and clipping."""

MIN_PROBABILITY = 0.5
"""Probability from which an image counts as rotated or inverted, and is refused."""

MAX_RELATIVE_DISTANCE = 2.0
"""Distance to the training images, relative to the usual one, above which an image is refused."""

MIN_CONFIDENCE = 0.9
"""Probability from which polarity and rotation may be corrected."""

DOUBTED_CLIPPING, MAX_CLIPPING = 0.05, 0.15
"""Share of clipped pixels around the lungs from which an image gets a warning, and from which it is refused.

Of 600 images, 0.5 % have more than 0.05 and the largest share is 0.10; with the brightest 20 % of the whole image
clipped, the median is 0.21.
"""

TAG_NUMBERS = {
    "BodyPartExamined": "0018,0015",
    "AnatomicRegionSequence": "0008,2218",
    "ViewPosition": "0018,5101",
    "ViewCodeSequence": "0054,0220",
    "PatientOrientation": "0020,0020",
    "SeriesDescription": "0008,103e",
    "ProtocolName": "0018,1030",
    "AcquisitionDeviceProcessingDescription": "0018,1400",
    "PerformedProcedureStepDescription": "0040,0254",
    "StudyDescription": "0008,1030",
}
_PARTS = {"BodyPartExamined": "body part", "AnatomicRegionSequence": "anatomic region"}
_VIEWS = {"ViewPosition": "view", "ViewCodeSequence": "view", "BodyPartExamined": "body part"}
# Free text, used where no defined term is given; that of a study or a procedure names both of two views.
_VIEW_TEXTS = {
    "SeriesDescription": "series description",
    "ProtocolName": "protocol",
    "AcquisitionDeviceProcessingDescription": "processing",
}
_PART_TEXTS = {
    **_VIEW_TEXTS,
    "PerformedProcedureStepDescription": "procedure",
    "StudyDescription": "study description",
}
_OF_SEVERAL_IMAGES = {"PerformedProcedureStepDescription", "StudyDescription"}


class Code(enum.StrEnum):
    """Why an image was refused, or scored with a warning; see the glossary."""

    NOT_CHEST = "NOT_CHEST"
    LATERAL = "LATERAL"
    OBLIQUE = "OBLIQUE"
    INVERTED = "INVERTED"
    ROTATED = "ROTATED"
    LUNG_AREA = "LUNG_AREA"
    LOW_CONTRAST = "LOW_CONTRAST"
    UNLIKE_TRAINING = "UNLIKE_TRAINING"
    CLIPPED = "CLIPPED"
    DECUBITUS = "DECUBITUS"
    LORDOTIC = "LORDOTIC"
    MIRRORED = "MIRRORED"


_VIEW_REASONS = {
    "lateral": (Code.LATERAL, "a frontal view, PA or AP, is needed"),
    "oblique": (Code.OBLIQUE, "a frontal view, PA or AP, is needed"),
    "decubitus": (Code.DECUBITUS, "the models were trained on upright and supine chests"),
    "lordotic": (Code.LORDOTIC, "the models were trained on PA and AP views"),
}


@dataclass(frozen=True)
class Reason:
    """A code for machines and a text for people."""

    code: str
    text: str


class GateResult(NamedTuple):
    """What the gate says: `refusals`, any of which forbids a score, and `warnings` that go with one."""

    refusals: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of them, refusals first, each code once."""
        first: dict[str, Reason] = {}
        for reason in (*self.refusals, *self.warnings):
            first.setdefault(reason.code, reason)
        return tuple(first.values())

    def __add__(self, other: object) -> GateResult:
        """Return both results as one."""
        if not isinstance(other, GateResult):
            return NotImplemented
        return GateResult((*self.refusals, *other.refusals), (*self.warnings, *other.warnings))


def check_image(tags: Mapping[str, str], *, pixels: Float32, view: GatePrediction, lungs: Bool | None) -> GateResult:
    """Everything that speaks against a score for an image.

    `tags` are those of the radiograph, `pixels` float32 [height, width], 0..255, as read. `lungs`, bool of any size, is
    the lung mask of the same image; None where lungs were not looked for.
    """
    result = check_tags(tags) + check_view(view)
    if lungs is not None:
        result += check_lungs(float(lungs.mean())) + check_clipping(pixels, lungs)
    return result + check_contrast(pixels)


def check_tags(tags: Mapping[str, str]) -> GateResult:
    """What the DICOM attributes say against an upright frontal chest radiograph; unknown terms say nothing."""
    refusals, warnings = [], []
    modality = tags.get("Modality", "").strip().upper()
    if modality and modality not in RADIOGRAPHY and tags["Modality"] != UNKNOWN:
        refusals.append(Reason(Code.NOT_CHEST, f"modality is {modality} (0008,0060); a chest radiograph is CR or DX"))
    for keyword, name in _naming(tags, _PARTS, _PART_TEXTS, body_part, "chest").items():
        part, text = body_part(tags[keyword]), f"{name} is {tags[keyword]} ({TAG_NUMBERS[keyword]})"
        if part == "both" and keyword in _OF_SEVERAL_IMAGES:
            warnings.append(Reason(Code.NOT_CHEST, f"{text}; this image may be one of another part than the chest"))
        elif part in ("other", "both"):
            refusals.append(Reason(Code.NOT_CHEST, f"{text}; a chest radiograph is needed"))
    for keyword, name in _naming(tags, _VIEWS, _VIEW_TEXTS, projection, "frontal").items():
        if found := _VIEW_REASONS.get(projection(tags[keyword])):
            reason = Reason(found[0], f"{name} is {tags[keyword]} ({TAG_NUMBERS[keyword]}); {found[1]}")
            (warnings if reason.code in (Code.DECUBITUS, Code.LORDOTIC) else refusals).append(reason)
    orientation = tags.get("PatientOrientation", "")
    text = f"patient orientation is {orientation} ({TAG_NUMBERS['PatientOrientation']})"
    if plane(orientation) == "lateral":
        refusals.append(Reason(Code.LATERAL, f"{text}; a frontal view, L\\F, is needed"))
    elif plane(orientation) == "mirrored":
        warnings.append(Reason(Code.MIRRORED, f"{text}: left and right are exchanged; L\\F is expected"))
    return GateResult(tuple(refusals), tuple(warnings))


def _naming(
    tags: Mapping[str, str],
    terms: Mapping[str, str],
    texts: Mapping[str, str],
    meaning: Callable[[str], str],
    expected: str,
) -> dict[str, str]:
    """Attributes that name a body part or a view -> their names in messages: those of defined terms, or else free text.

    Free text is used only if no attribute of defined terms names one, and if no text names what is `expected`.
    """
    named = {keyword: name for keyword, name in terms.items() if meaning(tags.get(keyword, ""))}
    if named or (meaning is projection and plane(tags.get("PatientOrientation", ""))):
        return named
    named = {keyword: name for keyword, name in texts.items() if meaning(tags.get(keyword, ""))}
    return {} if any(meaning(tags[keyword]) == expected for keyword in named) else dict([*named.items()][:1])


def check_view(view: GatePrediction) -> GateResult:
    """Return what speaks against a whole frontal chest, upright and with bright bones, in the picture itself."""
    frontal, is_far = view.contents["frontal"], view.distance > MAX_RELATIVE_DISTANCE * view.limits["unlike"]
    if frontal < view.limits["doubted_frontal"]:
        return _result(*_content(view), is_refused=is_far or frontal < view.limits["least_frontal"])
    result = GateResult()
    if view.inverted >= MIN_PROBABILITY:
        text = f"bones are dark ({view.inverted:.0%} sure); an image with bright bones is needed"
        result += _result(Code.INVERTED, text)
    if view.turned >= MIN_PROBABILITY:
        text = f"the chest is turned by {view.turn} degrees ({view.turned:.0%} sure); an upright one is needed"
        result += _result(Code.ROTATED, text)
    if not result.refusals and view.distance > view.limits["unlike"]:
        text = (
            f"the image is unlike those that the gate was trained on (distance {view.distance:.1f}, "
            f"{view.limits['unlike']:.1f} is usual at most); a score means nothing there"
        )
        return _result(Code.UNLIKE_TRAINING, text, is_refused=is_far)
    return result


def check_lungs(lung_area_fraction: float) -> GateResult:
    """Return what is wrong with the size of the lungs."""
    if MIN_LUNG_FRACTION <= lung_area_fraction <= MAX_LUNG_FRACTION:
        return GateResult()
    plausible = f"{MIN_LUNG_FRACTION:.0%} to {MAX_LUNG_FRACTION:.0%} is plausible"
    return _result(Code.LUNG_AREA, f"lungs cover {lung_area_fraction:.1%} of the image; {plausible}")


def check_contrast(pixels: Float32) -> GateResult:
    """Whether an image, float32 [height, width], 0..255, as read, has enough grey levels and contrast."""
    counts = np.bincount(np.rint(_sample(pixels) * 257).astype(np.uint16).ravel(), minlength=2**16)
    below = np.cumsum(counts) / counts.sum()
    low, high = (int(np.searchsorted(below, quantile)) for quantile in (0.01, 0.99))
    levels, inner = np.count_nonzero(counts), np.count_nonzero(counts[low : high + 1])
    contrast = (high - low) / (2**16 - 1)
    # Images of more than 8 bits may fill a small part of their range and still have all their levels in it.
    if levels >= MIN_LEVELS and (contrast >= MIN_RANGE or inner > 256):
        return GateResult()
    text = f"{levels} levels of grey, with {contrast:.0%} of the range between nearly all of them"
    return _result(Code.LOW_CONTRAST, text, is_refused=bool(levels < MIN_LEVELS))


def check_clipping(pixels: Float32, lungs: Bool) -> GateResult:
    """Whether the stored values around the lungs are clipped: many pixels share the highest or the lowest value.

    `pixels` are float32 [height, width], 0..255, as read; `lungs`, bool of any size, is the mask of the same image.
    """
    rows, columns = (np.flatnonzero(lungs.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return GateResult()
    top, bottom = (int(end * pixels.shape[0] / lungs.shape[0]) for end in (rows[0], rows[-1] + 1))
    left, right = (int(end * pixels.shape[1] / lungs.shape[1]) for end in (columns[0], columns[-1] + 1))
    around = _sample(pixels[top:bottom, left:right])
    low, high = np.quantile(around, (0.001, 0.999))  # markers and hot pixels lie beyond
    tolerance = (high - low) / 255  # compression blurs the edge of a clipped area
    dark, bright = float((around <= low + tolerance).mean()), float((around >= high - tolerance).mean())
    share, end = max((dark, "least"), (bright, "greatest"))
    if share <= DOUBTED_CLIPPING:
        return GateResult()
    text = f"{share:.0%} of the pixels around the lungs have the {end} value: the image was clipped when it was stored"
    return _result(Code.CLIPPED, text, is_refused=share > MAX_CLIPPING)


def _sample(pixels: Float32) -> Float32:
    """Every n-th row and column, about `MAX_SAMPLES` pixels."""
    step = max(1, int(np.sqrt(pixels.size / MAX_SAMPLES)))
    return pixels[::step, ::step]


def correctable(result: GateResult, view: GatePrediction) -> tuple[bool, int]:
    """Whether polarity can be corrected, and by how many degrees anticlockwise the image is rotated.

    `(False, 0)` where another reason speaks against the image, or the network is less sure than `MIN_CONFIDENCE`.
    """
    codes = {reason.code for reason in result.refusals}
    if not codes or not codes <= {Code.INVERTED, Code.ROTATED, Code.LUNG_AREA}:
        return False, 0
    is_sure = all(
        probability >= MIN_CONFIDENCE
        for code, probability in ((Code.INVERTED, view.inverted), (Code.ROTATED, view.turned))
        if code in codes
    )
    if not is_sure:
        return False, 0
    return Code.INVERTED in codes, view.turn if Code.ROTATED in codes else 0


def _content(view: GatePrediction) -> tuple[Code, str]:
    """Return the most likely content that is not a whole frontal chest, as the code and the text of a reason."""
    others = {name: probability for name, probability in view.contents.items() if name != "frontal"}
    sure = f"{1 - view.contents['frontal']:.0%} sure"
    match max(others, key=lambda content: others[content]):
        case "lateral":
            return Code.LATERAL, f"looks like a lateral view ({sure}); a frontal one is needed"
        case "part":
            return Code.LUNG_AREA, f"shows a part of a chest ({sure}); the whole of both lungs is needed"
        case _:
            return Code.NOT_CHEST, f"does not look like a chest radiograph ({sure})"


def _result(code: Code, text: str, *, is_refused: bool = True) -> GateResult:
    """Return one reason as a refusal or a warning, with a space before each per cent sign."""
    reason = Reason(code, text.replace("%", " %"))
    return GateResult((reason,)) if is_refused else GateResult((), (reason,))
