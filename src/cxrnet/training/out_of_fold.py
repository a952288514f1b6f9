"""The out-of-fold logits of a classifier's folds, as a run keeps them in `out_of_fold.csv`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float64, Floating, Int64
from cxrnet.data.manifest import Sample, write_manifest
from cxrnet.errors import UsageError


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What one fold says of the images it was not trained on.

    Attributes:
        path: The file.
        images: File names of the images.
        labels: int64 [image], index of the true class.
        logits: float64 [image, class].
    """

    path: Path
    images: tuple[str, ...]
    labels: Int64
    logits: Float64

    def check_rows(self, samples: Sequence[Sample]) -> None:
        """Check that the rows are these images in this order.

        Raises:
            UsageError: They are others.
        """
        if self.images != tuple(sample.image.name for sample in samples):
            raise UsageError(f"{self.path}: has other images than folds.csv lists for this fold; train the fold again")


def write_out_of_fold(path: Path, samples: Sequence[Sample], logits: Floating, classes: Sequence[str]) -> None:
    """Write logits [image, class] of the images that a fold was not trained on."""
    columns = [f"logit_{name}" for name in classes]
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
    """Return the out-of-fold logits in a file.

    Raises:
        UsageError: The file is missing, damaged, or of other classes.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        images = tuple(Path(row["image"]).name for row in rows)
        labels = np.array([classes.index(row["label"]) for row in rows], np.int64)
        logits = np.array([[float(row[f"logit_{name}"]) for name in classes] for row in rows], np.float64)
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        problem = f"has no logits of the classes {', '.join(classes)} ({type(error).__name__})"
        raise UsageError(f"{path}: {problem}; train the fold to its end first") from error
    if not len(rows) or not np.isfinite(logits).all():
        raise UsageError(f"{path}: has {'logits that are not finite' if rows else 'no rows'}; train the fold again")
    return OutOfFold(path, images, labels, logits)
