"""The manifest: a CSV file, one row an image or an image-mask pair, paths relative to the file."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

from cxrnet.atomic import write_atomic
from cxrnet.errors import ManifestError, UsageError

EVERY_ROW: Mapping[str, str] = MappingProxyType({})


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
"""The columns by the names of `docs/how-to/own-dataset.md`."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a manifest.

    Attributes:
        line: Number of its line in the file; the header is line 1.
        image: Path of the image, against the folder of the manifest.
        mask: Path of its lung mask, None where the row names none.
        label: Class name, None where the row has none.
        group: What never crosses a fold: the group, else the patient, else the path of the image.
        patient: Patient, None where not known.
        source: Where the image comes from, "" where not known.
        view: Projection, for example "PA", "" where not known.
        split: For example "train", "" where there is none.
        values: Every column of the row as text.
    """

    line: int
    image: Path
    mask: Path | None
    label: str | None
    group: str
    patient: str | None
    source: str
    view: str
    split: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """The rows of a manifest in their order.

    Attributes:
        path: Of the file.
        fields: Names of all columns in their order.
        samples: The rows.
    """

    path: Path
    fields: tuple[str, ...]
    samples: tuple[Sample, ...]


def read_manifest(path: Path, *, columns: Columns = STANDARD, where: Mapping[str, str] = EVERY_ROW) -> Manifest:
    """The manifest in a CSV file (UTF-8, with or without byte order mark).

    Args:
        path: The file.
        columns: Names of the columns. One that is not called by its default name must be there.
        where: Column name to value: rows with exactly this value; "a,b" takes rows with either.

    Raises:
        ManifestError: It cannot be read, lacks a column, or has a faulty row; the line says which.
        UsageError: `where` leaves no row.
    """
    manifest, problems = scan_manifest(path, columns=columns, where=where)
    if problems:
        more = f" (and {len(problems) - 1} more, see `cxrnet data check`)" if len(problems) > 1 else ""
        raise ManifestError(problems[0] + more)
    if not manifest.samples:
        chosen = " and ".join(f"{name}={value}" for name, value in where.items())
        raise UsageError(f"{path.name}: no row {f'has {chosen}' if where else 'follows the header'}; nothing to do")
    return manifest


def scan_manifest(
    path: Path, *, columns: Columns = STANDARD, where: Mapping[str, str] = EVERY_ROW
) -> tuple[Manifest, tuple[str, ...]]:
    """The sound rows of a manifest, and one line of text for each faulty row.

    Raises:
        ManifestError: The file cannot be read, or its header is at fault.
    """
    rows = _read_rows(path)
    header = tuple(next(rows, (1, []))[1])
    _check_header(path, header, columns, where)
    samples: list[Sample] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            remedy = "quote a value that has a comma in it"
            problems.append(f"{path.name}: line {line}: {len(cells)} cells, the header has {len(header)}; {remedy}")
            continue
        values = dict(zip(header, cells, strict=True))
        if not _is_chosen(values, where):
            continue
        pair = values[columns.image], values.get(columns.mask, "")
        if not pair[0]:
            problems.append(f"{path.name}: line {line}: {columns.image} is empty; every row names an image")
        elif pair in seen:
            remedy = "an image may be named again with another mask only"
            problems.append(f"{path.name}: line {line}: names {pair[0]} like line {seen[pair]}; {remedy}")
        else:
            seen[pair] = line
            samples.append(_sample(path.parent, line, values, columns))
    return Manifest(path, header, tuple(samples)), tuple(problems)


def write_manifest(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a manifest, whole or not at all; a row without a column has nothing in it.

    Raises:
        OutputError: The disk cannot take it.
    """
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
    """Column name to value, from a list of "column=value".

    Raises:
        UsageError: One is not of this form, or a column is named twice.
    """
    where: dict[str, str] = {}
    for choice in choices:
        name, equals, value = choice.partition("=")
        if not name or not equals:
            raise UsageError(f"--where {choice}: is not COLUMN=VALUE; for example --where split=train")
        if name in where:
            msg = f"--where {choice}: {name} is given twice; write --where {name}={where[name]},{value} for either"
            raise UsageError(msg)
        where[name] = value
    return where


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line on which it begins; empty lines are passed over."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            begins = 1
            for cells in reader:
                if cells:
                    yield begins, [cell.strip() for cell in cells]
                begins = reader.line_num + 1
    except csv.Error as error:
        msg = f"{path.name}: line {begins}: {error}; quotes come in pairs around a whole value"
        raise ManifestError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: is not a readable CSV file ({type(error).__name__}); give a manifest in UTF-8"
        raise ManifestError(msg) from error


def _check_header(path: Path, header: tuple[str, ...], columns: Columns, where: Mapping[str, str]) -> None:
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        msg = f"{path.name}: line 1: has the column {twice[0]} twice; every column needs a name of its own"
        raise ManifestError(msg)
    renamed = [
        getattr(columns, field.name) for field in fields(columns) if getattr(columns, field.name) != field.default
    ]
    for name in (columns.image, *renamed, *where):
        if name not in header:
            msg = f"{path.name}: line 1: has no column {name}; its columns are {', '.join(header) or 'none'}"
            raise ManifestError(msg)


def _is_chosen(values: Mapping[str, str], where: Mapping[str, str]) -> bool:
    return all(values[name] in (value, *value.split(",")) for name, value in where.items())


def _sample(folder: Path, line: int, values: Mapping[str, str], columns: Columns) -> Sample:
    patient, mask = values.get(columns.patient) or None, values.get(columns.mask)
    image = folder / values[columns.image]
    return Sample(
        line=line,
        image=image,
        mask=folder / mask if mask else None,
        label=values.get(columns.label) or None,
        group=values.get(columns.group) or patient or str(image),
        patient=patient,
        source=values.get(columns.source, ""),
        view=values.get(columns.view, ""),
        split=values.get(columns.split, ""),
        values=MappingProxyType(dict(values)),
    )
