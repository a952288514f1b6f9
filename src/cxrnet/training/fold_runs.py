"""The folds of a cross-validation, trained in one run or in several: found, and checked that they belong together."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from cxrnet.data.manifest import FOLD_COLUMN
from cxrnet.errors import UsageError
from cxrnet.model.config import Standardisation
from cxrnet.training.classifier_run import FOLDS, STANDARDISATION, run_identity
from cxrnet.training.out_of_fold import OutOfFold, read_out_of_fold
from cxrnet.training.run import OUT_OF_FOLD, RESULT, differing_fields, read_checked, read_record

_FOLD = re.compile(r"fold\d+")


@dataclass(frozen=True, kw_only=True)
class FoldRuns:
    """The folds of one training."""

    folders: tuple[Path, ...]  # of each fold, in their order
    rows: Sequence[Mapping[str, str]]  # of `folds.csv`: column -> cell
    standardisation: Standardisation  # mean and standard deviation of the images

    def read_tables(self, classes: Sequence[str]) -> list[OutOfFold]:
        """Return the out-of-fold logits of each fold: of just its rows of `folds.csv`, in their order."""
        tables = []
        for number, folder in enumerate(self.folders):
            read_checked(folder, OUT_OF_FOLD)
            table = read_out_of_fold(folder / OUT_OF_FOLD, classes)
            wanted = [set(row.values()) for row in self.rows if row[FOLD_COLUMN] == str(number)]
            found = [(name, classes[label]) for name, label in zip(table.images, table.labels, strict=True)]
            if len(found) != len(wanted) or not all(map(_is_row, found, wanted)):
                raise UsageError(
                    f"{table.path}: has other images or labels than {FOLDS} lists for fold {number}; train the fold "
                    "again"
                )
            tables.append(table)
        return tables


def find_folds(runs: Sequence[Path], folds: int) -> FoldRuns:
    """Return the folds of a classifier: in the one run, or each in that of several in which it has ended."""
    run = runs[0]
    for other in runs[1:]:
        _check_alike(run, other)
    expected = {f"fold{number}" for number in range(folds)}
    for extra in (path for each in runs for path in sorted(each.glob("fold*")) if _FOLD.fullmatch(path.name)):
        if extra.name not in expected:
            raise UsageError(f"{extra}: is not one of the {folds} folds of its training; move it to another place")
    found = FoldRuns(
        folders=tuple(_find_fold(runs, number) for number in range(folds)),
        rows=_read_folds(run, folds),
        standardisation=_read_standardisation(run),
    )
    record = read_record(run)
    for number, folder in enumerate(found.folders):
        _check_fold(folder, number, record, run, found.standardisation)
    return found


def _find_fold(runs: Sequence[Path], number: int) -> Path:
    homes = [run for run in runs if (run / f"fold{number}" / RESULT).is_file()]
    if not homes:
        raise UsageError(
            f"{' and '.join(map(str, runs))}: fold {number} has not ended; train it with --fold {number} and --resume, "
            "or give the run that has it"
        )
    if len(homes) > 1:
        raise UsageError(
            f"ensemble: fold {number} is in {' and in '.join(map(str, homes))}; give each fold once: move one of the "
            "two folders away"
        )
    return homes[0] / f"fold{number}"


def _check_alike(run: Path, other: Path) -> None:
    """Check that two runs are parts of one training of a classifier."""
    one, two = read_record(run, "classifier"), read_record(other, "classifier")
    if one["segmenter"]["sha256"] != two["segmenter"]["sha256"]:
        masks = "{name} {version}"
        raise UsageError(
            f"{other}: was trained on the lung masks of {masks.format(**two['segmenter'])}, {run} on those of "
            f"{masks.format(**one['segmenter'])}; join runs with the same --lungs"
        )
    if differing := differing_fields(one["settings"], two["settings"]):
        raise UsageError(f"{other}: was trained with other {differing} than {run}; join runs with the same settings")
    if one.get("start") != two.get("start"):
        raise UsageError(f"{other}: started from other weights than {run}; join runs with the same --init-from")
    if one["films"]["sha256"] != two["films"]["sha256"]:
        raise UsageError(
            f"{other}: was trained on {two['films']['all']} images, {run} on {one['films']['all']}, and their rows "
            "differ; join runs with the same manifest and --where"
        )
    number = one["settings"]["folds"]
    if [row[FOLD_COLUMN] for row in _read_folds(run, number)] != [
        row[FOLD_COLUMN] for row in _read_folds(other, number)
    ]:
        raise UsageError(
            f"{other}: has other images in its folds than {run}; give both trainings a manifest with a column fold"
        )
    if one.get("patient") != two.get("patient"):
        raise UsageError(f"{other}: encodes its patient data in another way than {run}; train with the same manifest")
    if _read_standardisation(run) != _read_standardisation(other):
        raise UsageError(
            f"{other}: its images have another mean or deviation than those of {run}; train with the same files"
        )


def _check_fold(
    folder: Path, number: int, record: Mapping[str, Any], run: Path, standardisation: Standardisation
) -> None:
    """Check that a folder holds fold `number` of the training with this record, and not another one's."""
    fold = read_record(folder, "fold")
    if fold.get("fold") != number:
        raise UsageError(f"{folder}: holds fold {fold.get('fold')}; give each fold its own folder, as training made it")
    if differing := differing_fields(record["settings"], fold["settings"]):
        raise UsageError(f"{folder}: was trained with other {differing} than its run; train the fold again")
    if fold.get("run", run_identity(run)) != run_identity(run):
        problem = f"belongs to a training with other images, folds or lung masks, or {FOLDS} of its run has changed"
        raise UsageError(f"{folder}: {problem}; restore the file, or train the fold again")
    if fold.get("standardisation", standardisation.model_dump()) != standardisation.model_dump():
        raise UsageError(f"{run / STANDARDISATION}: is not what {folder} was trained with; restore the file")


def _is_row(found: tuple[str, str], cells: set[str]) -> bool:
    """Whether a row of a manifest, whose columns can have any name, is of this image and label."""
    name, label = found
    return label in cells and any(PurePath(cell).name == name for cell in cells)


def _read_folds(run: Path, folds: int) -> list[dict[str, str]]:
    path = _file(run, FOLDS)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (csv.Error, ValueError) as error:
        raise UsageError(f"{path}: is damaged; run the training again with --resume") from error
    numbers = set(map(str, range(folds)))
    if {row.get(FOLD_COLUMN) for row in rows} != numbers or any(None in row.values() for row in rows):
        problem = f"has no rows, a row without one of the folds 0 to {folds - 1}, or a fold without rows"
        raise UsageError(f"{path}: {problem}; run the training again with --resume")
    return rows


def _read_standardisation(run: Path) -> Standardisation:
    path = _file(run, STANDARDISATION)
    try:
        return Standardisation.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path}: is damaged; run the training again with --resume") from error


def _file(run: Path, name: str) -> Path:
    path = run / name
    if not path.is_file():
        raise UsageError(f"{run}: has no {name}; its training has not come so far")
    return path
