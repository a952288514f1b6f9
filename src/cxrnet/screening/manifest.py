"""Rows of a manifest, CSV or Parquet, on disk or in a store; one row, or one batch of rows, is in memory at a time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import IO

from cxrnet.errors import CxrNetError, ManifestError, UsageError, require
from cxrnet.screening.store import is_address, open_source
from cxrnet.spelling import find_path, rename_columns
from cxrnet.table import read_cells

Source = Path | str
"""A file by its path, or an object of a store by its address."""

Row = Mapping[str, object]


def is_manifest(name: str) -> bool:
    """Return whether the user named a manifest: a file or an object that ends in `.csv` or `.parquet`."""
    return name.lower().endswith((".csv", ".parquet")) and (is_address(name) or os.path.isfile(name))


def manifest_rows(
    name: str, image_column: str, patient_columns: Sequence[str]
) -> Iterator[tuple[Source, Mapping[str, str]]]:
    """Yield the image of each row, and its patient data by column, where the manifest has the column."""
    kind, read = ("Parquet", _parquet) if name.lower().endswith(".parquet") else ("CSV", _csv)
    try:
        with open_source(name if is_address(name) else Path(name)) as file:
            for place, row in read(file, name, (image_column, *patient_columns)):
                if not row[image_column]:
                    raise UsageError(f"{name}: {place} has no {image_column}; give a path in every row")
                patient = {column: _text(row[column]) for column in patient_columns if column in row}
                yield _source(name, str(row[image_column])), patient
    except ManifestError as error:
        raise UsageError(str(error)) from error
    except CxrNetError:
        raise
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        hint = "give a manifest in UTF-8" if kind == "CSV" else "write it again"
        raise UsageError(f"{name}: is not a readable {kind} file ({type(error).__name__}); {hint}") from error


def _csv(file: IO[bytes], name: str, columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
    rows = read_cells(file, name)
    header = rename_columns(next(rows, (1, list[str]()))[1], columns)
    _check_column(name, columns[0], header)
    for line, cells in rows:
        if any(cells):
            yield f"line {line}", dict(zip_longest(header, cells[: len(header)]))


def _parquet(file: IO[bytes], name: str, columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
    with require("archive", name):
        from pyarrow.parquet import ParquetFile
    table = ParquetFile(file)
    written = table.schema_arrow.names
    header = rename_columns(written, columns)
    _check_column(name, columns[0], header)
    chosen = {own: column for own, column in zip(written, header, strict=True) if column in columns}
    number = 0
    for batch in table.iter_batches(columns=list(chosen)):
        for row in batch.to_pylist():
            number += 1
            yield f"row {number}", {chosen[own]: value for own, value in row.items()}


def _check_column(name: str, column: str, known: Sequence[str]) -> None:
    if column not in known:
        raise UsageError(f"{name}: has no column {column}; its columns are {', '.join(known)}")


def _source(manifest: str, cell: str) -> Source:
    """Return the image that a cell names, relative to the manifest."""
    if is_address(cell):
        return cell
    if is_address(manifest) and not os.path.isabs(cell):
        return f"{manifest.rsplit('/', 1)[0]}/{cell}"
    return find_path(Path(manifest).parent, cell)


def _text(value: object) -> str:
    return "" if value is None else str(value)
