"""What is known about a model: its training, its data, its evaluations. The card is written from this."""

from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from cxrnet.model.record import Frozen

Count = Annotated[int, Field(ge=0)]
Role = Literal["own", "control", "comparison"]


class SourceFacts(Frozen):
    """The images of one source in one split.

    Attributes:
        split: `train` or `val` of a segmenter; `all` of a cross-validation.
        source: Hospital or collection; "" where the manifest does not say.
        images: Different images.
        groups: What never crossed a fold or split.
        patients: Different patients; None where not every row names one.
        licences: Licence -> images; "" where the manifest gives none.
        labels: Class -> images; empty for a segmenter.
        views: View -> images; "" where the manifest does not say.
    """

    split: str
    source: str
    images: Count = Field(validation_alias=AliasChoices("images", "films"))
    groups: Count
    patients: Count | None
    licences: dict[str, Count]
    labels: dict[str, Count]
    views: dict[str, Count]


class DataFacts(Frozen):
    """The images of a training: name of the `manifest`, digest of its chosen rows, and counts per split and source.

    `accepted_leaks` are errors between splits or folds that the user accepted with `--allow-leaks`.
    """

    manifest: str
    sha256: str
    sources: tuple[SourceFacts, ...]
    accepted_leaks: tuple[str, ...] = ()


class TrainingFacts(Frozen):
    """One training: what `training.json` of its run holds, and what came out.

    Attributes:
        kind: Of a segmenter, or of the folds of a classifier.
        settings: As `training.json` has them.
        weights: Those of the last epoch or of the best one.
        start: Name, version and sha256 of the bundle that it began with; None from random weights.
        results: Run -> what its `result.json` says.
        sha256: Over the weights of the runs in their order, as in an evaluation of the folds.
    """

    kind: Literal["segmenter", "classifier"]
    settings: dict[str, Any]
    weights: Literal["last", "best"]
    start: dict[str, str] | None
    results: dict[str, dict[str, Any]]
    sha256: str


class SegmenterFacts(Frozen):
    """The bundle that the lung masks of a classifier came from: what it is, its training, its images."""

    name: str
    version: str
    sha256: str
    training: TrainingFacts | None
    data: DataFacts | None


class WorstCase(Frozen):
    """The worst image of a group in an evaluation: its `dice`, or the `score` that it got for its true `label`."""

    group: str
    source: str
    view: str
    metric: Literal["dice", "score"]
    value: float
    label: str


class EvaluationFacts(Frozen):
    """One evaluation.

    Attributes:
        name: For people.
        role: `own`, of this model or of its folds on images they had not seen; `control`, of a training that was
            kept from what it should need, or given what it should not; `comparison`, of another model.
        metrics: What `metrics.json` says, without the command and without single images.
        worst: The groups with the worst results, worst first.
    """

    name: Annotated[str, Field(min_length=1)]
    role: Annotated[Role, BeforeValidator(lambda role: "comparison" if role == "rival" else role)]
    metrics: dict[str, Any]
    worst: tuple[WorstCase, ...] = ()


class Facts(Frozen):
    """All that is known about a bundle besides its config.

    Attributes:
        format: Version of this record.
        training: How it was made; None where that is not recorded.
        data: From what; None where that is not recorded.
        segmenter: Where the lung masks of a classifier came from.
        evaluations: In the order of the card; their names differ.
        audit: What `metrics.json` of `cxrnet evaluate audit` says, without the command; None without an audit.
        notes: What people wrote, as Markdown.
    """

    format: Literal[1] = 1
    training: TrainingFacts | None = None
    data: DataFacts | None = None
    segmenter: SegmenterFacts | None = None
    evaluations: tuple[EvaluationFacts, ...] = ()
    audit: dict[str, Any] | None = None
    notes: str = ""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [evaluation.name for evaluation in self.evaluations]
        if len(set(names)) != len(names):
            raise ValueError(f"evaluations are {', '.join(names)}; give each a name of its own")
        return self

    def of_role(self, role: Role) -> tuple[EvaluationFacts, ...]:
        """Return the evaluations with this role."""
        return tuple(evaluation for evaluation in self.evaluations if evaluation.role == role)
