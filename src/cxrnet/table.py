"""Tables as spreadsheets and programs save them: CSV with commas, semicolons or tabs, in UTF-8 or UTF-16."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from cxrnet.errors import ManifestError

_SEPARATORS = (",", ";", "\t")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed by gzip",
}


def csv_bytes(fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as UTF-8 CSV under a header; what a row does not have is empty, other bytes of a name come back."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, fields, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def read_cells(binary: IO[bytes], name: str) -> Iterator[tuple[int, list[str]]]:
    """Each row, its cells stripped, with the number of the line on which it begins; empty lines are passed over.

    The separator is the one that is most frequent in the header. A first line such as `sep=;`, by which a spreadsheet
    names it, is no row. One row at a time is in memory.
    """
    before = 0  # lines passed over at the beginning
    begins = 1
    try:
        start = binary.read(4)
        binary.seek(0)
        if kind := next((kind for mark, kind in _OTHER_FILES.items() if start.startswith(mark)), None):
            raise ManifestError(f"{name}: is {kind}; save it as CSV in UTF-8")
        with io.TextIOWrapper(binary, encoding=_BYTE_ORDER_MARKS.get(start[:2], "utf-8-sig"), newline="") as file:
            first = file.readline().lstrip("\ufeff")  # some programs write the mark twice
            separator = max(_SEPARATORS, key=first.count)
            named = first.strip('\r\n"')
            if named.lower().startswith("sep="):
                separator, first, before, begins = named[4:5] or ",", "", 1, 2
            reader = csv.reader(chain([first] if first else [], file), delimiter=separator, strict=True)
            for cells in reader:
                if cells:
                    yield begins, [cell.strip() for cell in cells]
                begins = reader.line_num + 1 + before
    except csv.Error as error:
        raise ManifestError(f"{name}: line {begins}: {error}; quotes come in pairs around a whole value") from error
    except (OSError, UnicodeError) as error:
        problem = f"is not a readable CSV file ({_reason(error)})"
        raise ManifestError(f"{name}: {problem}; give a manifest in UTF-8") from error


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """As `read_cells`, of a file."""
    try:
        binary = path.open("rb")
    except OSError as error:
        problem = f"is not a readable CSV file ({_reason(error)})"
        raise ManifestError(f"{path}: {problem}; give a manifest in UTF-8") from error
    with binary:
        yield from read_cells(binary, str(path))


def _reason(error: OSError | UnicodeError) -> str:
    """Why a file cannot be read, as the system says it."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
