"""What to evaluate: a manifest with its columns, rows and the columns that split the results."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cxrnet.data.check import find_contradictions
from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import Columns, Manifest, Sample, read_manifest
from cxrnet.data.mask_values import AUTOMATIC, MaskValues
from cxrnet.errors import UsageError
from cxrnet.evaluation.bootstrap import RESAMPLES

NOT_GIVEN = "(not given)"
"""Stands for an empty value of a column."""

MAX_VALUES = 60
"""Maximum number of values of a column that results are split by."""


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """Which images to evaluate, and how."""

    manifest: Path
    columns: Columns = field(default_factory=Columns)
    where: Mapping[str, str] = field(default_factory=dict)  # column -> value of the rows to use
    jobs: int = 1
    seed: int = 0  # random seed of the bootstrap, and of all else that is random
    resamples: int = RESAMPLES  # bootstrap resamples; 0 gives no intervals
    command: str = ""  # the command line, for the record


@dataclass(frozen=True, kw_only=True)
class Request(ImageRequest):
    """What to evaluate."""

    # columns to split the results by; None uses source, view and split if they have several values
    by: tuple[str, ...] | None = None
    mask_values: MaskValues = AUTOMATIC  # how stored values of masks are read

    def read(self, *, own_columns: Sequence[str]) -> tuple[Manifest, tuple[str, ...]]:
        """Return the selected rows, and the columns to split by.

        The `group` of each row is the unit of the bootstrap: its group joined with all groups that share a patient.
        """
        manifest = read_manifest(self.manifest, columns=self.columns, where=self.where)
        for name in own_columns:
            if name in manifest.fields:
                raise UsageError(f"{self.manifest.name}: has a column {name}, which per_image.csv adds; rename it")
        return replace(manifest, samples=join_groups(manifest.samples)), self._split_columns(manifest)

    def _split_columns(self, manifest: Manifest) -> tuple[str, ...]:
        counts = {name: len({value_of(sample, name) for sample in manifest.samples}) for name in manifest.fields}
        if self.by is None:
            usual = (self.columns.source, self.columns.view, self.columns.split)
            return tuple(name for name in usual if counts.get(name, 0) > 1)
        for name in self.by:
            if name not in counts:
                known = ", ".join(manifest.fields)
                raise UsageError(f"--by {name}: {manifest.path.name} has no such column; its columns are {known}")
            if counts[name] > MAX_VALUES:
                raise UsageError(f"--by {name}: has {counts[name]} values; at most {MAX_VALUES} are accepted")
        return self.by


def join_groups(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the samples with the unit of the bootstrap as their group, named after its first group."""
    units = group_ids(samples)
    names: dict[int, str] = {}
    for unit, sample in zip(units.tolist(), samples, strict=True):
        names[unit] = min(names.get(unit, sample.group), sample.group)
    return tuple(replace(sample, group=names[unit]) for unit, sample in zip(units.tolist(), samples, strict=True))


def read_table(path: Path, columns: Mapping[str, str]) -> tuple[Sample, ...]:
    """Return the rows of a `per_image.csv`, grouped as `Request.read` groups those of the manifest."""
    return join_groups(read_manifest(path, columns=Columns(**columns)).samples)


def require_one_class(manifest: Path, samples: Sequence[Sample]) -> None:
    """Refuse an image with two labels, by any spelling of its path."""
    contradiction = next(find_contradictions(samples), None)
    if contradiction is not None:
        raise UsageError(f"{manifest.name}: {contradiction.text}; see `cxrnet data check`")


def value_of(sample: Sample, column: str) -> str:
    """Return the value of a column, `(not given)` if it is empty."""
    return sample.values[column] or NOT_GIVEN


def digest_images(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 of image names, labels and patients; order and other columns do not matter."""
    rows = sorted((sample.image.name, str(sample.label), str(sample.patient)) for sample in samples)
    return hashlib.sha256(json.dumps(rows).encode("utf-8", "surrogateescape")).hexdigest()


def locate(manifest: Path, samples: Sequence[Sample]) -> str:
    """Return where the first of these rows is, and how many more there are."""
    more = f" and {len(samples) - 1} more" if len(samples) > 1 else ""
    return f"{manifest.name}: line {samples[0].line}{more}"
