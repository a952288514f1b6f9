"""The out-of-fold logits of a classifier's folds, as a run keeps them in `out_of_fold.csv`."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float64, Floating, Int64
from cxrnet.data.manifest import Sample, write_manifest
from cxrnet.errors import UsageError

WITHOUT_PATIENT = "without_patient_logit_"
"""Beginning of the columns with the logits for which all patient data are missing."""

_MAX_LOGIT = 1e6  # no network gives such a logit


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What one fold says of the images it was not trained on."""

    path: Path
    images: tuple[str, ...]  # file names of the images
    labels: Int64  # int64 [image], index of the true class
    logits: Float64  # float64 [image, class]
    without_patient: Float64 | None = None  # the same with all patient data missing; None where the model takes none


def write_out_of_fold(
    path: Path,
    samples: Sequence[Sample],
    logits: Floating,
    classes: Sequence[str],
    *,
    without_patient: Floating | None = None,
) -> None:
    """Write logits [image, class] of the images that a fold was not trained on."""
    columns = [f"logit_{name}" for name in classes]
    if without_patient is not None:
        columns += [f"{WITHOUT_PATIENT}{name}" for name in classes]
        logits = np.concatenate([logits, without_patient], axis=1)
    rows = [
        {
            "image": str(sample.image),
            "label": str(sample.label),
            "group_id": sample.group,
            **{column: repr(float(value)) for column, value in zip(columns, values, strict=True)},
        }
        for sample, values in zip(samples, logits, strict=True)
    ]
    write_manifest(path, ["image", "label", "group_id", *columns], rows)


def read_out_of_fold(path: Path, classes: Sequence[str]) -> OutOfFold:
    """Return the out-of-fold logits in a file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        images = tuple(Path(row["image"]).name for row in rows)
        labels = np.array([classes.index(row["label"]) for row in rows], np.int64)
        logits = _logits(rows, "logit_", classes)
        has_both = bool(rows) and f"{WITHOUT_PATIENT}{classes[0]}" in rows[0]
        without = _logits(rows, WITHOUT_PATIENT, classes) if has_both else None
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        problem = f"has no logits of the classes {', '.join(classes)} ({type(error).__name__})"
        raise UsageError(f"{path}: {problem}; train the fold to its end first") from error
    if not len(rows) or not all((np.abs(each) < _MAX_LOGIT).all() for each in (logits, without) if each is not None):
        problem = f"logits that are not finite, or {_MAX_LOGIT:g} and more" if rows else "no rows"
        raise UsageError(f"{path}: has {problem}; train the fold again")
    return OutOfFold(path, images, labels, logits, without)


def _logits(rows: Sequence[Mapping[str, str]], prefix: str, classes: Sequence[str]) -> Float64:
    return np.array([[float(row[f"{prefix}{name}"]) for name in classes] for row in rows], np.float64)
