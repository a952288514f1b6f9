"""The finding: the result for one image, from which its record, table row, panel and DICOM objects are made."""

import base64
from html import escape
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, PlainSerializer

from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.bundle import Bundle
from cxrnet.screening.gate import Reason
from cxrnet.screening.heatmap import HeatMaps
from cxrnet.screening.patient import PatientValue
from cxrnet.screening.segmentation import Anatomy

SCHEMA: Literal["cxrnet.finding/2"] = "cxrnet.finding/2"
NOTICE: Literal["Research use only. Not a medical device; not for diagnosis."] = (
    "Research use only. Not a medical device; not for diagnosis."
)

Status = Literal["scored", "refused", "failed"]


class RadiographRecord(BaseModel):
    """How a radiograph was read.

    Attributes:
        sha256: Of the bytes of the file, hexadecimal.
        format: DICOM, PNG, JPEG, TIFF, WEBP, BMP, GIF or array.
        height: Pixels.
        width: Pixels.
        spacing_mm: Distance between the centres of neighbouring rows and columns; null where not known.
        tags: DICOM attributes about the view and the kind of image, by keyword.
        history: The steps of the reader, in order.
    """

    sha256: str
    format: str
    height: int
    width: int
    spacing_mm: tuple[float, float] | None
    tags: dict[str, str]
    history: tuple[str, ...]


def record_of(radiograph: Radiograph | None) -> RadiographRecord | None:
    """Return what the record says about a radiograph."""
    if radiograph is None:
        return None
    height, width = radiograph.pixels.shape
    return RadiographRecord(
        sha256=radiograph.sha256,
        format=radiograph.format,
        height=height,
        width=width,
        spacing_mm=radiograph.spacing_mm,
        tags=dict(radiograph.tags),
        history=radiograph.history,
    )


def _or_null(values: dict[str, Any]) -> dict[str, Any] | None:
    return values or None


# By class; empty, and null in the record, where there are no scores.
Scores = Annotated[dict[str, float], PlainSerializer(_or_null, return_type=dict[str, float] | None)]
Folds = Annotated[
    dict[str, tuple[float, ...]], PlainSerializer(_or_null, return_type=dict[str, tuple[float, ...]] | None)
]
Intervals = Annotated[
    dict[str, tuple[float, float]], PlainSerializer(_or_null, return_type=dict[str, tuple[float, float]] | None)
]


class Finding(BaseModel):
    r"""One image's result; `finding.json` is its JSON form.

    Attributes:
        input: The input as the user named it; bytes of a file name that are not UTF-8 appear as `\xff`.
        identifiers: Patient ID, accession number and UIDs; None unless asked for.
        status: `scored`; `refused` by the gate, without scores; `failed`, could not be read.
        reasons: Why it was refused or failed; of a scored image, the warnings of the gate.
        patient: Column of the patient data -> where its value came from; None where the model takes none.
        corrections: What was corrected before it was scored; empty unless asked for.
        warnings: What is odd about the input but did not stop it.
        scores: Class name -> probability of the ensemble in [0, 1], summing to 1; empty unless scored.
        is_calibrated: Whether the scores were calibrated on images that the folds had not seen.
        operating_points: Name -> lowest score of the first class that counts as positive, for calibrated models of
            two classes.
        folds: Class name -> probability of each fold; empty unless scored.
        spread: Largest standard deviation over the folds among the classes; None unless scored.
        interval: Class name -> 95 % interval of its score over the folds (`cxrnet.screening.scores`); empty unless
            scored by two folds or more.
        conformal_set: Classes that the image may have, so that the true one is among them 90 % of the time on images
            like those of the calibration (`cxrnet.screening.conformal`); None where the model has no sets.
        is_uncertain: Whether the folds leave the answer open, or the set does not hold one class; None where there is
            neither interval nor set.
        uncertainty_reason: Why the answer is uncertain; None where it is not.
        lung_area_fraction: Share of the prepared image where the lung probability is above 0.5; None if failed.
        radiograph: The pixels and how they were read; the record holds the latter. None if failed.
        model: `name`, `version` and `sha256` of the bundle.
        timing_ms: Stage -> milliseconds.
        lung_probability: float32 [height, width] in [0, 1] at the size of the prepared image; None if failed. Not in
            the record.
        heatmaps: The heat maps; None unless scored. Not in the record.
        anatomy: The classes of a segmenter of more than two; None of one of lungs alone. Not in the record.
        patient_inputs: float32 [input], the patient data as the network takes them; None where it takes none. Not in
            the record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_: Annotated[Literal["cxrnet.finding/2"], Field(serialization_alias="schema")] = SCHEMA
    input: str
    identifiers: dict[str, str] | None = None
    status: Status
    reasons: tuple[Reason, ...] = ()
    patient: dict[str, PatientValue] | None = None
    corrections: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    scores: Scores = {}
    is_calibrated: Annotated[bool, Field(serialization_alias="calibrated")] = False
    operating_points: dict[str, float] = {}
    folds: Folds = {}
    spread: float | None = None
    interval: Intervals = {}
    conformal_set: tuple[str, ...] | None = None
    is_uncertain: Annotated[bool | None, Field(serialization_alias="uncertain")] = None
    uncertainty_reason: str | None = None
    lung_area_fraction: float | None = None
    radiograph: Annotated[
        InstanceOf[Radiograph] | None,
        PlainSerializer(record_of, return_type=RadiographRecord | None),
        Field(repr=False),
    ] = None
    model: dict[str, str]
    timing_ms: dict[str, float] = {}
    notice: Literal["Research use only. Not a medical device; not for diagnosis."] = NOTICE
    lung_probability: Annotated[InstanceOf[np.ndarray] | None, Field(exclude=True, repr=False)] = None
    heatmaps: Annotated[InstanceOf[HeatMaps] | None, Field(exclude=True, repr=False)] = None
    anatomy: Annotated[InstanceOf[Anatomy] | None, Field(exclude=True, repr=False)] = None
    patient_inputs: Annotated[InstanceOf[np.ndarray] | None, Field(exclude=True, repr=False)] = None

    @classmethod
    def failed(cls, name: str, reason: Reason, bundle: Bundle) -> Self:
        """Return the finding of an input that could not be read."""
        return cls(input=name, status="failed", reasons=(reason,), model=bundle.identity)

    @property
    def patient_origins(self) -> str:
        """Where each value of the patient data came from, for people; "" where the model takes none."""
        return " | ".join(f"{name}: {one.origin}" for name, one in (self.patient or {}).items())

    def record(self) -> dict[str, Any]:
        """Return what `finding.json` holds, in its order."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> str:
        """Return `record` as JSON text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the panel, or the reasons where nothing could be read."""
        from cxrnet.screening.panel.panel import draw_panel
        from cxrnet.screening.png import encode_png

        if self.radiograph is None:
            reasons = "; ".join(f"{reason.code}: {reason.text}" for reason in self.reasons)
            return f"<p><b>{escape(self.input)}: {self.status}</b><br>{escape(reasons)}<br>{self.notice}</p>"
        panel = base64.b64encode(encode_png(draw_panel(self))).decode()
        words = escape(f"{self.input}: {self.status}", quote=True)
        return f'<img alt="{words}" style="max-width: 100%" src="data:image/png;base64,{panel}">'
