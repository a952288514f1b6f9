"""The finding: what was found in one image, as a record for people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from cxrnet.arrays import Float32
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.bundle import Bundle
from cxrnet.screening.gate import Reason
from cxrnet.screening.heatmap import HeatMaps

SCHEMA = "cxrnet.finding/1"
NOTICE = "Research use only. Not a medical device; not for diagnosis."

Status = Literal["scored", "refused", "failed"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One image's result.

    Attributes:
        input: The input as the user named it.
        status: `scored`; `refused` by the gate, without scores; `failed`, could not be read.
        reasons: Why it was refused or failed; of a scored image, what the gate warns of.
        mended: What was put right before it was scored, for people; empty unless asked for.
        warnings: What is odd about the input but did not stop it.
        scores: Class name -> probability of the ensemble in [0, 1], summing to 1; empty unless scored.
        is_calibrated: Whether the scores were calibrated on images that the folds had not seen.
        operating_points: Name -> lowest score of the first class that counts as one, for calibrated models of two.
        folds: Class name -> probability of each fold; empty unless scored.
        spread: Largest standard deviation over the folds among the classes; None unless scored.
        interval: Class name -> where its score would lie by the folds, 95 %: their disagreement, not all that is
            uncertain (see `cxrnet.screening.uncertainty`); empty unless scored by two folds or more.
        doubt: Why the answer is uncertain, in words; None where the interval is clear of the operating point.
        lung_area_fraction: Share of the prepared image where the lung probability is above 0.5; None if failed.
        model: `name`, `version`, `sha256` of the bundle.
        timing_ms: Stage -> milliseconds.
        radiograph: The pixels that were read and how; None if failed.
        lung_probability: float32 [height, width] in [0, 1] at the size of the prepared image; None if failed.
        heatmaps: The heat maps; None unless scored.
    """

    input: str
    status: Status
    model: Mapping[str, str]
    reasons: tuple[Reason, ...] = ()
    mended: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    is_calibrated: bool = False
    operating_points: Mapping[str, float] = field(default_factory=dict)
    folds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    spread: float | None = None
    interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    doubt: str | None = None
    lung_area_fraction: float | None = None
    timing_ms: Mapping[str, float] = field(default_factory=dict)
    radiograph: Radiograph | None = field(default=None, repr=False)
    lung_probability: Float32 | None = field(default=None, repr=False)
    heatmaps: HeatMaps | None = field(default=None, repr=False)

    @classmethod
    def failure(cls, name: str, reason: Reason, bundle: Bundle) -> Self:
        """Return the finding of an input that could not be read."""
        return cls(input=name, status="failed", reasons=(reason,), model=identity(bundle))

    @property
    def is_uncertain(self) -> bool | None:
        """Whether the folds leave the answer open; None where there is no interval."""
        return self.doubt is not None if self.interval else None

    def record(self) -> dict[str, Any]:
        """Return what `finding.json` holds, in its order."""
        identifiers = None if self.radiograph is None else self.radiograph.identifiers
        return {
            "schema": SCHEMA,
            "input": self.input,
            **({} if identifiers is None else {"identifiers": dict(identifiers)}),
            "status": self.status,
            "reasons": [reason._asdict() for reason in self.reasons],
            "mended": list(self.mended),
            "warnings": list(self.warnings),
            "scores": dict(self.scores) or None,
            "calibrated": self.is_calibrated,
            "operating_points": dict(self.operating_points),
            "folds": {name: list(scores) for name, scores in self.folds.items()} or None,
            "spread": self.spread,
            "interval": {name: list(ends) for name, ends in self.interval.items()} or None,
            "uncertain": self.is_uncertain,
            "doubt": self.doubt,
            "lung_area_fraction": self.lung_area_fraction,
            "radiograph": None if self.radiograph is None else _describe(self.radiograph),
            "model": dict(self.model),
            "timing_ms": dict(self.timing_ms),
            "notice": NOTICE,
        }

    def to_json(self) -> str:
        """Return `record` as JSON text."""
        return json.dumps(self.record(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def identity(bundle: Bundle) -> dict[str, str]:
    """Return `name`, `version` and `sha256` of a bundle."""
    return {"name": bundle.config.name, "version": bundle.config.version, "sha256": bundle.sha256}


def _describe(radiograph: Radiograph) -> dict[str, Any]:
    height, width = radiograph.pixels.shape
    return {
        "sha256": radiograph.sha256,
        "format": radiograph.format,
        "height": height,
        "width": width,
        "spacing_mm": None if radiograph.spacing_mm is None else list(radiograph.spacing_mm),
        "tags": dict(radiograph.tags),
        "history": list(radiograph.history),
    }
