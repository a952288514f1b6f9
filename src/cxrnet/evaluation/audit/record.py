"""What `metrics.json` of an audit holds; its JSON schema is `docs/reference/schemas/audit.schema.json`."""

from __future__ import annotations

from typing import Literal

from cxrnet.evaluation.bootstrap import Estimate
from cxrnet.model.record import Frozen


class Value(Frozen):
    """A figure over `n` images with its 95 % interval; None where it is undefined, or without enough groups."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int

    @classmethod
    def of(cls, estimate: Estimate) -> Value:
        """Return an estimate, rounded to six digits."""
        value, low, high = (None if part is None else round(part, 6) for part in estimate[:3])
        return cls(value=value, low=low, high=high, n=estimate.n)


class ChangeRecord(Frozen):
    """The effects of one change, by name (`cxrnet.evaluation.audit.stability.EFFECTS`)."""

    name: str
    kind: str
    strength: Literal["weak", "middle", "strong"]
    amount: float
    label: str
    effects: dict[str, Value]


class StabilityRecord(Frozen):
    """Effects of each change, and their means over sets of changes.

    Attributes:
        changes: In the order in which they were made.
        means: Set of changes (`reference`, `middle`) -> effect -> its mean; only sets that were made whole.
        unchanged: The effects that unchanged images have: `refused` and `set_coverage`.
    """

    changes: tuple[ChangeRecord, ...]
    means: dict[str, dict[str, Value]]
    unchanged: dict[str, Value]


class ShortcutRecord(Frozen):
    """What a model scores without what it should look at.

    Attributes:
        auc: Alteration -> part -> AUC; a part is all images (""), one source, or two sources of unlike classes.
        source_recall: Mean recall over the sources of a logistic regression on what the classifier sees inside the
            lungs; None where it cannot be measured.
        sources: Number of sources; guessing has a mean recall of 1 / `sources`.
    """

    auc: dict[str, dict[str, Value]]
    source_recall: Value | None
    sources: int


class HeatMapRecord(Frozen):
    """Whether heat maps depend on the weights, and mark what the score rests on.

    Attributes:
        images: How many were tried.
        randomisation: Layer -> correlation with the trained heat map when all layers from the last to this are random.
        curves: Deletion and insertion -> mean score of the predicted class, from none to all of the lungs changed.
        areas: The same -> mean of the curve.
    """

    images: int
    randomisation: dict[str, Value]
    curves: dict[str, tuple[float, ...]]
    areas: dict[str, Value]


class ManifestRecord(Frozen):
    """The images of an audit: name and sha256 of the manifest, rows that were taken, and how they were chosen.

    `warnings` is what `cxrnet data check` warns of in its rows and columns.
    """

    name: str
    sha256: str
    rows: int
    where: dict[str, str]
    limit: int | None
    fold_column: str | None
    warnings: tuple[str, ...] = ()


class AuditRecord(Frozen):
    """All that an audit found.

    Attributes:
        form: Version of this record.
        model: `name`, `version` and `sha256`.
        classes: In the order of the scores.
        manifest: The images.
        failed: Images that could not be read.
        seed: Of the choice of images, of the noise and of the bootstrap.
        resamples: Of the bootstrap.
        command: As it was typed.
        cxrnet: Version of the program.
        stability: None where it was not asked for, as the following.
        shortcuts: Alterations that take the lungs away.
        heat_maps: Randomisation, deletion and insertion.
    """

    form: Literal["cxrnet.audit/1"] = "cxrnet.audit/1"
    model: dict[str, str]
    classes: tuple[str, ...]
    manifest: ManifestRecord
    failed: int
    seed: int
    resamples: int
    command: str
    cxrnet: str
    stability: StabilityRecord | None = None
    shortcuts: ShortcutRecord | None = None
    heat_maps: HeatMapRecord | None = None
