"""What `metrics.json` of an audit holds; the JSON schema of these models is `docs/audit.schema.json`."""

from __future__ import annotations

from typing import Literal

from cxrnet.evaluation.bootstrap import Estimate
from cxrnet.model.config import Frozen

SCHEMA = "cxrnet.audit/1"


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
        refused_unchanged: Share of the unchanged images that the gate refuses.
    """

    changes: tuple[ChangeRecord, ...]
    means: dict[str, dict[str, Value]]
    refused_unchanged: Value


class ManifestRecord(Frozen):
    """The images of an audit: name and sha256 of the manifest, rows that were taken, and how they were chosen."""

    name: str
    sha256: str
    rows: int
    where: dict[str, str]
    limit: int | None
    fold_column: str | None


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
        stability: None where it was not asked for.
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
