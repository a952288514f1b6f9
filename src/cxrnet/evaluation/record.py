"""What `metrics.json` holds."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxrnet.errors import UsageError
from cxrnet.screening.finding import NOTICE

SCHEMA: Literal["cxrnet.evaluation/1"] = "cxrnet.evaluation/1"
Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """A part of `metrics.json`; a later version may add fields."""

    model_config = ConfigDict(frozen=True, extra="allow")


class EstimateRecord(Record):
    """A metric with its 95 % bootstrap interval.

    Attributes:
        value: The metric on all `n` images; null if undefined.
        low: Lower end of the interval; null with too few groups.
        high: Upper end of the interval; null with too few groups.
        n: Images behind the metric.
        skipped: Resamples in which the metric is undefined.
    """

    value: float | None
    low: float | None
    high: float | None
    n: Count
    skipped: Count


class MetricsRecord(BaseModel):
    """The number of images `n`, and metrics by name: every further field is a metric.

    Attributes:
        n: Images.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, EstimateRecord] = Field(init=False)

    n: Count


class ConformalRecord(Record):
    """Prediction sets of the scored images.

    Attributes:
        coverage: Share that hold the true class.
        size: Mean number of classes.
        single: Share that hold exactly one class.
        per_class: Class -> `coverage` of its images.
    """

    coverage: EstimateRecord
    size: EstimateRecord
    single: EstimateRecord
    per_class: dict[str, EstimateRecord]


class BlockRecord(MetricsRecord):
    """The metrics of a set of images.

    Attributes:
        n: Images with a result.
        groups: Different groups among them, the unit of the bootstrap.
        failed: Images that could not be read.
        empty_masks: Images whose reference mask has no lung (segmenter).
        failed_as_zero: Dice when an image that failed counts as 0 (segmenter; absent if none failed).
        refused: Images that the gate refused (classifier).
        images: Class -> images (classifier).
        per_class: Class -> metrics of that class against all others, with more than two classes; of a segmenter
            without the background.
        conformal: How prediction sets did (classifier that has them).
        unscored_as_wrong: Metrics when an image without a score counts as wrong (classifier).
    """

    groups: Count
    failed: Count
    empty_masks: Count = 0
    failed_as_zero: MetricsRecord | None = None
    refused: Count = 0
    images: dict[str, Count] | None = None
    per_class: dict[str, MetricsRecord] | None = None
    conformal: ConformalRecord | None = None
    unscored_as_wrong: MetricsRecord | None = None


class ModelRecord(Record):
    """What was evaluated: a bundle, or the folds of a run."""

    name: str
    version: str
    sha256: str


class ManifestRecord(Record):
    """The images.

    Attributes:
        name: File name of the manifest.
        sha256: Of the file.
        rows: Selected rows.
        films: SHA-256 over image names, labels and patients in any order: the same images in other folds agree.
        where: Column -> value of the selected rows.
        columns: Field -> column name.
        warnings: What `cxrnet data check` warns of in its rows and columns; absent in older records.
    """

    name: str
    sha256: str
    rows: Count
    films: str
    where: dict[str, str]
    columns: dict[str, str]
    warnings: list[str] = []


class BootstrapRecord(Record):
    """How intervals were computed.

    Attributes:
        unit: Column of the groups that are resampled; groups that share a patient are one.
        resamples: Number of resamples.
        confidence: Of the intervals.
        seed: Random seed.
        least_groups: Fewer groups than this have no interval.
    """

    unit: str
    resamples: Count
    confidence: float
    seed: Count
    least_groups: Count


class ReasonRecord(Record):
    """Why an image has no result: a code and a sentence."""

    code: str
    text: str


class UnscoredRecord(Record):
    """An image without a result: `line` of the manifest, `status` and `reasons`."""

    line: Count
    status: str
    reasons: list[ReasonRecord]


class GateRecord(Record):
    """Images that `cxrnet screen` would refuse, and their mean Dice."""

    would_refuse: Count
    their_mean_dice: float | None


class FoldsRecord(Record):
    """A metric over the folds: `mean`, `std`, and the `values` in order; null where undefined."""

    mean: float | None
    std: float | None
    values: list[float | None]


class ClassesByValue(Record):
    """Values of a column whose images have a `single` class, and values with `both` or more."""

    single: list[str]
    both: list[str]


class WithoutPatientRecord(Record):
    """Metrics with all patient data missing: over all images, and by column and value."""

    overall: BlockRecord
    by: dict[str, dict[str, BlockRecord]]


class EvaluationRecord(Record):
    """The whole of `metrics.json`.

    Attributes:
        schema_: `cxrnet.evaluation/1`.
        task: What was evaluated.
        model: The model.
        manifest: The images.
        command: As it was typed.
        cxrnet: Version of the program.
        bootstrap: How intervals were computed.
        status: Status -> images.
        reasons: Code -> images without a result.
        warned: Code -> images with a result and a warning.
        classes: Classes in the order of the scores (classifier).
        positive_class: The first of two classes (classifier).
        single_class: Columns whose values predict the class (classifier).
        folds: Metric -> its value over the folds (classifier).
        is_out_of_fold: Whether every image was scored by the fold that was not trained on it.
        patient: Column of the patient data -> where its values came from -> images (classifier that takes them).
        without_patient: The figures with all patient data missing (classifier that takes them).
        gate: What the gate would refuse (segmenter).
        overall: Metrics over all images.
        by: Column -> value -> metrics.
        without_result: Images without a result.
        notice: Research use only.
    """

    model_config = ConfigDict(frozen=True, extra="allow", serialize_by_alias=True, validate_by_name=True)

    schema_: Literal["cxrnet.evaluation/1"] = Field(SCHEMA, alias="schema")
    task: Literal["segmenter", "classifier"]
    model: ModelRecord
    manifest: ManifestRecord
    command: str
    cxrnet: str
    bootstrap: BootstrapRecord
    status: dict[str, Count]
    reasons: dict[str, Count]
    warned: dict[str, Count]
    classes: list[str] | None = None
    positive_class: str | None = None
    single_class: dict[str, ClassesByValue] | None = None
    folds: dict[str, FoldsRecord] | None = None
    is_out_of_fold: bool | None = None
    patient: dict[str, dict[str, Count]] | None = None
    without_patient: WithoutPatientRecord | None = None
    gate: GateRecord | None = None
    overall: BlockRecord
    by: dict[str, dict[str, BlockRecord]]
    without_result: list[UnscoredRecord]
    notice: str = NOTICE

    def content(self) -> dict[str, Any]:
        """Return what is written: fields that do not belong to the task are left out."""
        return {"schema": self.schema_} | self.model_dump(exclude_unset=True) | {"notice": self.notice}

    def to_json(self) -> bytes:
        """Return the file's content; undefined values are null, never NaN."""
        text = json.dumps(self.content(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        return text.encode("utf-8", "surrogateescape")


def read_record(path: Path) -> EvaluationRecord:
    """Return the record in a `metrics.json`."""
    try:
        return EvaluationRecord.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "content"
        problem = f"is not of the form {SCHEMA} ({place}: {first['msg']})"
        raise UsageError(f"{path}: {problem}; evaluate again with this version") from error
    except (OSError, ValueError) as error:
        problem = f"cannot be read ({type(error).__name__})"
        raise UsageError(f"{path}: {problem}; give the folder that `cxrnet evaluate --out` wrote") from error
