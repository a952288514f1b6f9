"""Patient data of a training: the columns are checked, the encoding is fitted, values are hidden at random.

The encoding is fitted once, over all rows of the run, like the standardisation of the images: the folds of an ensemble
share it. Labels play no part in it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxrnet.arrays import Bool, Float32
from cxrnet.data.manifest import FOLD_COLUMN, Manifest, Sample
from cxrnet.errors import UsageError
from cxrnet.model.patient import MAX_DEVIATION, Category, Column, Number, PatientConfig, is_missing, parse_number
from cxrnet.training.config import PatientTraining

MAX_CATEGORIES = 32
"""A column with more different values is free text or an identifier."""

MIN_IMAGES = 10
"""Fewer images of one class with a value say little about whether the value tells the class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PatientInputs:
    """The patient data of all images of a training."""

    config: PatientConfig  # the fitted encoding
    values: Float32  # float32 [image, input]
    hide: float  # probability with which a value is hidden, and with which all of an image are
    seed: int  # of what is hidden when

    @cached_property
    def missing(self) -> Float32:
        """The inputs of a patient of whom nothing is known, float32 [input]."""
        return self.config.encode({}).inputs

    def shown(self, epoch: int, image: int) -> Float32:
        """Return what an epoch shows of an image, float32 [input]; a value is hidden as if it were missing."""
        rng = np.random.default_rng((self.seed, epoch, image, 3))
        draws = rng.random(1 + len(self.config.columns))
        is_hidden = (draws[1:] < self.hide) | (draws[0] < self.hide)
        hidden: Bool = np.repeat(is_hidden, [len(column.inputs) for column in self.config.columns])
        return np.where(hidden, self.missing, self.values[image])


def fit_patient(manifest: Manifest, samples: Sequence[Sample], config: PatientTraining) -> PatientConfig:
    """Return the encoding of the chosen columns, fitted on these rows."""
    columns = tuple(_fit(manifest, samples, name, kind) for name, kind in config.columns.items())
    return PatientConfig(columns=columns, hidden=config.hidden)


def encode_samples(samples: Sequence[Sample], config: PatientConfig) -> Float32:
    """Return the patient data of the rows that an encoding was fitted on, float32 [image, input]."""
    return np.stack([config.encode(sample.values).inputs for sample in samples])


def find_shortcuts(samples: Sequence[Sample], config: PatientConfig) -> Iterator[str]:
    """Yield a line for each column that tells the class by itself, or is filled in for some of the sources only."""
    for name in config.names:
        if share := _class_share(samples, name):
            yield f"patient column {name} alone gives the class of {share:.0%} of the images; it is a shortcut there"
        given = {sample.source for sample in samples if not is_missing(sample.values[name])}
        if given < {sample.source for sample in samples}:
            sources = ", ".join(sorted(source or "(not given)" for source in given))
            yield f"patient column {name} is filled in for {sources} only; whether it is missing gives the source away"


def _class_share(samples: Sequence[Sample], name: str) -> float:
    """Share of the images that have a value, or none, with which all images are of one class."""
    texts = ["" if is_missing(sample.values[name]) else sample.values[name].strip().casefold() for sample in samples]
    if len(set(texts)) > MAX_CATEGORIES:
        texts = ["given" if text else "" for text in texts]
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, sample in zip(texts, samples, strict=True):
        table[text][str(sample.label)] += 1
    counts = [row.total() for row in table.values() if len(row) == 1]
    return sum(count for count in counts if count >= MIN_IMAGES) / len(samples)


def _fit(manifest: Manifest, samples: Sequence[Sample], name: str, kind: str) -> Column:
    if name not in manifest.fields:
        raise UsageError(f"patient column {name}: {manifest.path.name} has {', '.join(manifest.fields)} only")
    if name == FOLD_COLUMN or _class_share(samples, name) == 1:
        what = "is the fold" if name == FOLD_COLUMN else "gives the class of every image"
        raise UsageError(f"patient column {name}: {what}; leave it out")
    cells = {sample.line: sample.values[name].strip() for sample in samples if not is_missing(sample.values[name])}
    if len({text.casefold() for text in cells.values()}) < 2:
        found = "has one value in all rows" if cells else "has no value in any row"
        raise UsageError(f"patient column {name}: {found}, so it gives no information; leave it out")
    numbers = {line: parse_number(text) for line, text in cells.items()}
    others = [line for line, number in numbers.items() if number is None]
    if kind == "number" or (kind == "auto" and 2 * len(others) < len(cells)):
        return _fit_number(name, numbers, others)
    return _fit_category(name, cells)


def _fit_number(name: str, numbers: Mapping[int, float | None], others: Sequence[int]) -> Number:
    if others:
        more = f" and {len(others) - 1} more lines" if len(others) > 1 else ""
        raise UsageError(
            f"patient column {name}: line {others[0]}{more} of the manifest has no number; correct it, leave the cell "
            f"empty, or name the column {name}=category"
        )
    values = np.array(list(numbers.values()), np.float64)
    if not 0 < values.std() < np.inf:
        raise UsageError(f"patient column {name}: has one number in all rows, or far too large ones; leave it out")
    fitted = Number(name=name, mean=float(values.mean()), sd=float(values.std()))
    if far := [line for line, number in numbers.items() if fitted.encode(repr(number)) is None]:
        raise UsageError(
            f"patient column {name}: line {far[0]} of the manifest is more than {MAX_DEVIATION:g} standard deviations "
            "from the mean; correct it, or leave the cell empty"
        )
    return fitted


def _fit_category(name: str, cells: Mapping[int, str]) -> Category:
    found: dict[str, str] = {}
    for text in cells.values():
        found.setdefault(text.casefold(), text)
    if len(found) > MAX_CATEGORIES:
        raise UsageError(
            f"patient column {name}: has {len(found)} different values that are no numbers; at most "
            f"{MAX_CATEGORIES} categories are accepted"
        )
    return Category(name=name, categories=tuple(found[key] for key in sorted(found)))
