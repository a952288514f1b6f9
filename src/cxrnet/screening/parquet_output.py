"""The table of a partition: a Parquet file with the columns of `findings.csv`, numbers as numbers."""

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cxrnet.screening.batch import Outcome
from cxrnet.screening.csv_output import FLAGS, Row, cell_text, decimals
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input

_MISSING = b"cxrnet.missing"
"""Metadata of the file: number of a row -> why results of it are missing although it is done."""

_REASON = re.compile(r" \| (?=[A-Z0-9_]+: )")


def encode_table(outcomes: Sequence[Outcome], columns: Sequence[str]) -> bytes:
    """Return the rows of a partition as a Parquet file; a cell that an image does not have is null."""
    missing = {
        number: [(reason.code, reason.text) for reason in outcome.missing]
        for number, outcome in enumerate(outcomes)
        if outcome.missing
    }
    schema = pa.schema([(name, _type(name)) for name in columns], metadata={_MISSING: json.dumps(missing)})
    arrays = [[_value(outcome.row.get(name, ""), name) for outcome in outcomes] for name in columns]
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def decode_table(content: bytes) -> list[Row]:
    """Return the rows in a Parquet file as those of `findings.csv`; ValueError if it is damaged."""
    return _rows(pq.read_table(pa.BufferReader(content)))


def decode_outcomes(content: bytes, items: Sequence[Input]) -> list[Outcome]:
    """Return the outcomes of `items` in a Parquet file; ValueError if it is damaged, or has other rows."""
    table = pq.read_table(pa.BufferReader(content))
    missing = json.loads(table.schema.metadata[_MISSING])
    return [
        Outcome(
            item=item,
            status=row["status"],
            reasons=tuple(Reason(*text.split(": ", 1)) for text in _REASON.split(row.get("reasons", "")) if text),
            row=row,
            warnings=tuple(filter(None, row.get("warnings", "").split(" | "))),
            missing=tuple(Reason(*reason) for reason in missing.get(str(number), ())),
        )
        for number, (item, row) in enumerate(zip(items, _rows(table), strict=True))
    ]


def _rows(table: Any) -> list[Row]:
    return [
        {name: cell_text(value, name) for name, value in row.items() if value is not None} for row in table.to_pylist()
    ]


def _type(column: str) -> Any:
    if column in FLAGS:
        return pa.bool_()
    return pa.string() if decimals(column) is None else pa.float64()


def _value(cell: str, column: str) -> object:
    if not cell:
        return None
    if column in FLAGS:
        return cell == "true"
    return cell if decimals(column) is None else float(cell)
