"""The gate: whether an image may be given a score at all.

It asks what a DICOM file says of itself, and whether the lung mask is one that a chest can have. A picture without
tags that fools the lung model is not yet caught.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

LEAST_LUNG, MOST_LUNG = 0.06, 0.70
"""Share of the image that lungs can cover: 0.08 to 0.59 in 1,181 hand-drawn masks of two conventions."""

RADIOGRAPHY = frozenset({"CR", "DX", "DR", "RG", "PX", "RF", "XA", "OT", "SC"})
"""Values of Modality (0008,0060) under which a chest radiograph can be filed."""

CHEST = frozenset({"CHEST", "THORAX", "LUNG", "LUNGS", "RIB", "RIBS", "STERNUM", "CHEST_PA", "CHEST_AP", "PORT CHEST"})
"""Values of Body Part Examined (0018,0015) under which one can be filed."""

LATERAL = frozenset({"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"})
"""Values of View Position (0018,5101) of a lateral view."""


class Code(enum.StrEnum):
    """Why an image was refused; see the glossary."""

    NOT_CHEST = "NOT_CHEST"
    LATERAL = "LATERAL"
    LUNG_AREA = "LUNG_AREA"


class Reason(NamedTuple):
    """A code for machines and a text for people."""

    code: str
    text: str


def judge(tags: Mapping[str, str], lung_area_fraction: float) -> tuple[Reason, ...]:
    """Return why this image gets no score; empty when it may have one.

    Args:
        tags: DICOM attributes by keyword, as in `Radiograph.tags`; empty for other formats.
        lung_area_fraction: Share of the image that is lung, 0 to 1.
    """
    return (*judge_tags(tags), *judge_lungs(lung_area_fraction))


def judge_tags(tags: Mapping[str, str]) -> tuple[Reason, ...]:
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
    return tuple(reasons)


def judge_lungs(lung_area_fraction: float) -> tuple[Reason, ...]:
    """Return what is wrong with the size of the lungs."""
    if LEAST_LUNG <= lung_area_fraction <= MOST_LUNG:
        return ()
    text = f"lungs cover {lung_area_fraction:.1%} of the image; {LEAST_LUNG:.0%} to {MOST_LUNG:.0%} is plausible"
    return (Reason(Code.LUNG_AREA, text.replace("%", " %")),)
