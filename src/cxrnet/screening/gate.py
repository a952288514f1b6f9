"""The gate: whether an image may be given a score at all, and whether the score comes with a warning.

It asks what a DICOM file says of itself, what the picture shows, and whether the lungs are such as a chest can have.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.model.gate_runtime import GatePrediction

LEAST_LUNG, MOST_LUNG = 0.06, 0.70
"""Share of the image that lungs can cover: 0.08 to 0.59 in 1,181 hand-drawn masks of two conventions."""

LEAST_LEVELS = 16
"""Grey levels of a film with fewer: equalising makes steps of what was noise."""

LEAST_RANGE = 0.16
"""Between the 1st and the 99th percentile, as part of the whole range of greys."""

ENOUGH = 250_000
"""Pixels that tell how the greys are spread."""

DOUBTED = 0.5
"""Probability of a turned or inverted film from which it is refused."""

FAR = 2.0
"""Times the usual distance from which a picture is refused, whatever it seems to show."""

SURE = 0.9
"""Probability from which it may be mended."""

RADIOGRAPHY = frozenset({"CR", "DX", "DR", "RG", "PX", "RF", "XA", "OT", "SC"})
"""Values of Modality (0008,0060) under which a chest radiograph can be filed."""

CHEST = frozenset({"CHEST", "THORAX", "LUNG", "LUNGS", "RIB", "RIBS", "STERNUM", "CHEST_PA", "CHEST_AP", "PORT CHEST"})
"""Values of Body Part Examined (0018,0015) under which one can be filed."""

LATERAL = frozenset({"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"})
"""Values of View Position (0018,5101) of a lateral view."""


class Code(enum.StrEnum):
    """Why an image was refused, or scored with a warning; see the glossary."""

    NOT_CHEST = "NOT_CHEST"
    LATERAL = "LATERAL"
    INVERTED = "INVERTED"
    ROTATED = "ROTATED"
    LUNG_AREA = "LUNG_AREA"
    LOW_CONTRAST = "LOW_CONTRAST"
    UNLIKE_TRAINING = "UNLIKE_TRAINING"


@dataclass(frozen=True)
class Reason:
    """A code for machines and a text for people."""

    code: str
    text: str


class Judgement(NamedTuple):
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

    def __add__(self, other: object) -> Judgement:
        """Return both judgements as one."""
        if not isinstance(other, Judgement):
            return NotImplemented
        return Judgement((*self.refusals, *other.refusals), (*self.warnings, *other.warnings))


def judge(
    tags: Mapping[str, str], *, pixels: Float32, view: GatePrediction, lung_area_fraction: float | None
) -> Judgement:
    """Return what speaks against a score for this image.

    Args:
        tags: DICOM attributes by keyword, as in `Radiograph.tags`; empty for other formats.
        pixels: float32 [height, width], 0..255, as read.
        view: What the prepared image shows.
        lung_area_fraction: Share of the image that is lung, 0 to 1; None where lungs were not looked for.
    """
    lungs = Judgement() if lung_area_fraction is None else judge_lungs(lung_area_fraction)
    return judge_tags(tags) + judge_view(view) + lungs + judge_contrast(pixels)


def judge_tags(tags: Mapping[str, str]) -> Judgement:
    """Return what speaks against a frontal chest radiograph in the attributes."""
    modality, body_part, view = (
        tags.get(keyword, "").strip().upper() for keyword in ("Modality", "BodyPartExamined", "ViewPosition")
    )
    reasons = []
    if modality and modality not in RADIOGRAPHY:
        text = f"modality is {modality} (0008,0060); a chest radiograph is CR or DX"
        reasons.append(Reason(Code.NOT_CHEST, text))
    if body_part and body_part not in CHEST:
        text = f"body part is {body_part} (0018,0015); a chest radiograph is needed"
        reasons.append(Reason(Code.NOT_CHEST, text))
    if view in LATERAL:
        text = f"view is {view} (0018,5101); a frontal view, PA or AP, is needed"
        reasons.append(Reason(Code.LATERAL, text))
    return Judgement(tuple(reasons))


def judge_view(view: GatePrediction) -> Judgement:
    """Return what speaks against a whole frontal chest, upright and with bright bones, in the picture itself."""
    frontal, is_far = view.contents["frontal"], view.distance > FAR * view.limits["unlike"]
    if frontal < view.limits["doubted_frontal"]:
        reason, is_refused = _content(view), is_far or frontal < view.limits["least_frontal"]
        return Judgement((reason,)) if is_refused else Judgement((), (reason,))
    reasons = []
    if view.inverted >= DOUBTED:
        text = f"bones are dark ({view.inverted:.0%} sure); a film with bright bones is needed"
        reasons.append(Reason(Code.INVERTED, _spaced(text)))
    if view.turned >= DOUBTED:
        text = f"the chest is turned by {view.turn} degrees ({view.turned:.0%} sure); an upright one is needed"
        reasons.append(Reason(Code.ROTATED, _spaced(text)))
    if not reasons and view.distance > view.limits["unlike"]:
        text = (
            f"the picture is unlike the films that the gate has seen (distance {view.distance:.1f}, "
            f"{view.limits['unlike']:.1f} is usual at most); a score means nothing there"
        )
        reason = Reason(Code.UNLIKE_TRAINING, text)
        return Judgement((reason,)) if is_far else Judgement((), (reason,))
    return Judgement(tuple(reasons))


def judge_lungs(lung_area_fraction: float) -> Judgement:
    """Return what is wrong with the size of the lungs."""
    if LEAST_LUNG <= lung_area_fraction <= MOST_LUNG:
        return Judgement()
    text = f"lungs cover {lung_area_fraction:.1%} of the image; {LEAST_LUNG:.0%} to {MOST_LUNG:.0%} is plausible"
    return Judgement((Reason(Code.LUNG_AREA, _spaced(text)),))


def judge_contrast(pixels: Float32) -> Judgement:
    """Return what is wrong with the greys of an image, float32 [height, width], 0..255, as read."""
    step = max(1, int(np.sqrt(pixels.size / ENOUGH)))
    counts = np.bincount(np.rint(pixels[::step, ::step]).astype(np.uint8).ravel(), minlength=256)
    levels = int((counts > 0).sum())
    below = np.cumsum(counts) / counts.sum()
    low, high = int(np.searchsorted(below, 0.01)), int(np.searchsorted(below, 0.99))
    if levels >= LEAST_LEVELS and high - low >= LEAST_RANGE * 255:
        return Judgement()
    text = f"{levels} levels of grey, with {(high - low) / 255:.0%} of the range between nearly all of them"
    reason = Reason(Code.LOW_CONTRAST, _spaced(text))
    return Judgement((reason,)) if levels < LEAST_LEVELS else Judgement((), (reason,))


def mendable(judgement: Judgement, view: GatePrediction) -> tuple[bool, int]:
    """Return whether the greys, and by how many degrees the picture, can be turned back without doubt.

    `(False, 0)` where nothing can: something else speaks against the image, or the polarity or the turn is not sure.
    """
    codes = {reason.code for reason in judgement.refusals}
    if not codes or not codes <= {Code.INVERTED, Code.ROTATED, Code.LUNG_AREA}:
        return False, 0
    is_sure = all(
        chance >= SURE
        for code, chance in ((Code.INVERTED, view.inverted), (Code.ROTATED, view.turned))
        if code in codes
    )
    if not is_sure:
        return False, 0
    return Code.INVERTED in codes, view.turn if Code.ROTATED in codes else 0


def _content(view: GatePrediction) -> Reason:
    """Return the most likely content that is not a whole frontal chest, as a reason."""
    others = {name: chance for name, chance in view.contents.items() if name != "frontal"}
    name = max(others, key=lambda content: others[content])
    sure = f"{1 - view.contents['frontal']:.0%} sure"
    match name:
        case "lateral":
            return Reason(Code.LATERAL, _spaced(f"looks like a lateral view ({sure}); a frontal one is needed"))
        case "part":
            return Reason(
                Code.LUNG_AREA, _spaced(f"shows a part of a chest ({sure}); the whole of both lungs is needed")
            )
        case _:
            return Reason(Code.NOT_CHEST, _spaced(f"does not look like a chest radiograph ({sure})"))


def _spaced(text: str) -> str:
    """Return the text with a space before the sign of per cent."""
    return text.replace("%", " %")
