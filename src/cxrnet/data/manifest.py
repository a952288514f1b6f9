"""The manifest: a CSV file, one row per image or image-mask pair, paths relative to the file."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from cxrnet.atomic import write_atomic
from cxrnet.data.placeholders import Placeholders
from cxrnet.data.problem import Problem, name_lines
from cxrnet.errors import ManifestError, UsageError
from cxrnet.imaging.radiograph import printable
from cxrnet.spelling import find_path, person_key, plain, rename_columns, unused_columns
from cxrnet.table import read_rows

FOLD_COLUMN = "fold"
EVERY_ROW: Mapping[str, str] = MappingProxyType({})
SPLITS: Mapping[str, str] = MappingProxyType(
    {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}
)
"""Other spellings of the splits, in any case."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns that this program uses; all but `image` may be missing unless they are renamed."""

    image: str = "image"
    mask: str = "mask"
    label: str = "label"
    group: str = "group_id"
    patient: str = "patient_id"
    source: str = "source"
    view: str = "view"
    split: str = "split"


STANDARD = Columns()
"""The columns by the names of the manifest reference."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a manifest."""

    line: int  # number of its line in the file; the header is line 1
    image: Path  # path of the image, against the folder of the manifest
    mask: Path | None  # path of its lung mask, None where the row names none
    label: str | None  # class name, None where the row has none
    group: str  # images of one are in one fold: the group, else the patient, else the path of the image
    patient: str | None  # patient, None where not known
    source: str  # where the image comes from, "" where not known
    view: str  # projection, for example "PA", "" where not known
    split: str  # `train`, `val`, `test` or another name; "" where the row names no split
    values: Mapping[str, str]  # every column of the row as text

    @cached_property
    def identity(self) -> str:
        """The image by its real path: the same for every spelling and link of one file."""
        return os.path.realpath(self.image)

    @cached_property
    def patient_key(self) -> str:
        """The patient, the same for every spelling of one; "" where not known."""
        return person_key(self.patient) if self.patient else ""

    @cached_property
    def group_key(self) -> str:
        """The group, the same for every spelling of one."""
        return self.group if self.group == str(self.image) else person_key(self.group)


@dataclass(frozen=True)
class Manifest:
    """The rows of a manifest in their order."""

    path: Path  # of the file
    fields: tuple[str, ...]  # names of all columns in their order
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()  # warnings and notes about the rows

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about its rows and columns, each a code and a line of text."""
        return tuple(f"{problem.code} {problem.text}" for problem in self.problems if problem.kind == "warning")


def read_manifest(path: Path, *, columns: Columns = STANDARD, where: Mapping[str, str] = EVERY_ROW) -> Manifest:
    """The manifest in a CSV file; columns that are not called by their default name must be there.

    Of the rows those are taken whose columns have the values of `where`; "a,b" takes rows with either.
    """
    manifest, problems = scan_manifest(path, columns=columns, where=where)
    errors = [problem.text for problem in problems if problem.kind == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more, see `cxrnet data check`)" if len(errors) > 1 else ""
        raise ManifestError(errors[0] + more)
    if not manifest.samples:
        chosen = " and ".join(f"{name}={value}" for name, value in where.items())
        raise UsageError(f"{path.name}: no row {f'has {chosen}' if where else 'follows the header'}; nothing to do")
    return replace(manifest, problems=problems)


def scan_manifest(
    path: Path, *, columns: Columns = STANDARD, where: Mapping[str, str] = EVERY_ROW
) -> tuple[Manifest, tuple[Problem, ...]]:
    """The sound rows of a manifest, and what is wrong or odd with the others."""
    rows = read_rows(path)
    header = list(next(rows, (1, []))[1])
    width = max((place for place, name in enumerate(header, start=1) if name), default=0)
    padding = len(header) - width  # empty names at the end, as spreadsheets write them
    names = [*(getattr(columns, field.name) for field in fields(columns)), FOLD_COLUMN]
    header = rename_columns(header[:width], names)
    _check_header(path, header, columns, where)
    scan = _Scan(path, columns, header, padding)
    for line, cells in rows:
        values = scan.fit(line, cells)
        if values is not None and _is_chosen(values, where):
            scan.add(line, values)
    return Manifest(path, tuple(header), tuple(scan.samples)), scan.all_problems()


class _Scan:
    """Rows one by one, with what is wrong with them."""

    def __init__(self, path: Path, columns: Columns, header: Sequence[str], padding: int) -> None:
        self.samples: list[Sample] = []
        self._path, self._columns, self._header, self._padding = path, columns, header, padding
        self._problems: list[Problem] = []
        self._blank: list[int] = []
        self._padded = [1] if padding else []
        self._unknown = Placeholders(columns)
        self._seen: dict[tuple[str, str], int] = {}

    def fit(self, line: int, cells: list[str]) -> dict[str, str] | None:
        """Column -> cell; None where the row is blank or has another number of cells."""
        width = len(self._header)
        if not any(cells):
            self._blank.append(line)
            return None
        if len(cells) > width and not any(cells[width:]):
            if len(cells) != width + self._padding:
                self._padded.append(line)
            cells = cells[:width]
        if len(cells) != width:
            self._fail(line, f"{len(cells)} cells, the header has {width}; quote a value that has a comma in it")
            return None
        return dict(zip(self._header, cells, strict=True))

    def add(self, line: int, values: Mapping[str, str]) -> None:
        """Keep the row as a sample, or what is wrong with it."""
        known = self._unknown.removed(line, values)
        pair = known[self._columns.image], known.get(self._columns.mask, "")
        if any("\0" in cell for cell in values.values()):
            self._fail(line, "has a NUL byte; save the table again as UTF-8 text")
        elif not pair[0]:
            self._fail(line, f"{self._columns.image} is empty; every row names an image")
        elif pair in self._seen:
            first = f"names {pair[0]} like line {self._seen[pair]}"
            self._fail(line, f"{first}; an image may be named again with another mask only")
        else:
            self._seen[pair] = line
            self.samples.append(_sample(self._path.parent, line, values, known, self._columns))

    def all_problems(self) -> tuple[Problem, ...]:
        """Errors of rows, then notes on cells that were left out, then placeholders."""
        blank, padded = tuple(self._blank), tuple(self._padded)
        notes = []
        if blank:
            text = f"{name_lines(blank)}: blank, skipped"
            notes.append(Problem(kind="note", code="BLANK_ROWS", text=text, lines=blank))
        if padded:
            text = f"{name_lines(padded)}: empty cells at the end, left out"
            notes.append(Problem(kind="note", code="EMPTY_CELLS", text=text, lines=padded))
        for name, option in unused_columns(self._header, self._columns.patient, self._columns.split):
            text = f"column {name} is not read; {option} {name} would read it"
            notes.append(Problem(kind="warning", code="COLUMN", text=text))
        return (*self._problems, *notes, *self._unknown.problems())

    def _fail(self, line: int, text: str) -> None:
        whole = f"{self._path.name}: line {line}: {text}"
        self._problems.append(Problem(kind="error", code="ROW", text=whole, lines=(line,)))


def write_manifest(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a manifest, whole or not at all; a row without a column has nothing in it."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, fields, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomic(path, text.getvalue().encode())


def relative(path: Path, folder: Path) -> str:
    """`path` as a manifest in `folder` names it: relative, with forward slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive, on Windows
        return path.absolute().as_posix()


def parse_where(choices: Sequence[str]) -> dict[str, str]:
    """Column name to value, from a list of "column=value"."""
    where: dict[str, str] = {}
    for choice in choices:
        name, equals, value = choice.partition("=")
        if not name or not equals:
            raise UsageError(f"--where {choice}: is not COLUMN=VALUE; for example --where split=train")
        if name in where:
            remedy = f"write --where {name}={where[name]},{value} for either"
            raise UsageError(f"--where {choice}: {name} is given twice; {remedy}")
        where[name] = value
    return where


def _check_header(path: Path, header: Sequence[str], columns: Columns, where: Mapping[str, str]) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        problem = f"has the column {twice[0] or '(no name)'} twice"
        raise ManifestError(f"{path.name}: line 1: {problem}; every column needs a name of its own")
    renamed = [
        getattr(columns, field.name) for field in fields(columns) if getattr(columns, field.name) != field.default
    ]
    for name in (columns.image, *renamed, *where):
        if name not in header:
            known = printable(", ".join(header)) or "none"
            raise ManifestError(f"{path.name}: line 1: has no column {name}; its columns are {known}")


def _is_chosen(values: Mapping[str, str], where: Mapping[str, str]) -> bool:
    return all(values[name] in (value, *value.split(",")) for name, value in where.items())


def _sample(folder: Path, line: int, values: Mapping[str, str], known: Mapping[str, str], columns: Columns) -> Sample:
    patient, mask = known.get(columns.patient), known.get(columns.mask)
    image, split = find_path(folder, known[columns.image]), known.get(columns.split, "")
    label, group = plain(known.get(columns.label, "")), known.get(columns.group)
    patient = plain(patient) if patient else None
    return Sample(
        line=line,
        image=image,
        mask=find_path(folder, mask) if mask else None,
        label=label or None,
        group=plain(group) if group else patient or str(image),
        patient=patient,
        source=known.get(columns.source, ""),
        view=known.get(columns.view, ""),
        split=SPLITS.get(split.casefold(), split.casefold() if split.casefold() in SPLITS.values() else split),
        values=MappingProxyType(dict(values)),
    )
