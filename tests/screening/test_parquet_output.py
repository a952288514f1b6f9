from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")

pytest.importorskip("pyarrow.parquet")

from cxrnet.screening.batch import Outcome  # noqa: E402
from cxrnet.screening.csv_output import finding_columns  # noqa: E402
from cxrnet.screening.gate import Reason  # noqa: E402
from cxrnet.screening.inputs import Input  # noqa: E402
from cxrnet.screening.parquet_output import decode_outcomes, decode_table, encode_table  # noqa: E402

COLUMNS = finding_columns(("covid", "non-covid"))
ITEMS = tuple(Input(path=Path(f"{number}.png"), folder=str(number)) for number in range(3))


@pytest.fixture
def outcomes():
    scored = {"status": "scored", "score_covid": "0.250000", "spread": "0.0100", "calibrated": "true", "read_ms": "7.0"}
    refused = {"status": "refused", "reasons": "NO_LUNGS: none | of them | WRONG_VIEW: lateral", "warnings": "a | b"}
    failed = {"status": "failed", "reasons": "NOT_FOUND: 2.png: no such file"}
    missing = (Reason("NO_UID", "1.png: has no UID"),)
    return [
        Outcome(item=ITEMS[0], status="scored", row=scored),
        Outcome(
            item=ITEMS[1],
            status="refused",
            reasons=(Reason("NO_LUNGS", "none | of them"), Reason("WRONG_VIEW", "lateral")),
            row=refused,
            warnings=("a", "b"),
            missing=missing,
        ),
        Outcome(item=ITEMS[2], status="failed", reasons=(Reason("NOT_FOUND", "2.png: no such file"),), row=failed),
    ]


def test_outcomes_come_back_as_they_were(outcomes):
    assert decode_outcomes(encode_table(outcomes, COLUMNS), ITEMS) == outcomes


def test_numbers_and_flags_have_their_types_and_other_cells_are_null(outcomes):
    table = pa.parquet.read_table(pa.BufferReader(encode_table(outcomes, COLUMNS)))
    assert tuple(table.column_names) == COLUMNS
    assert table["score_covid"].to_pylist() == [0.25, None, None]
    assert table["calibrated"].to_pylist() == [True, None, None]
    assert {str(table.schema.field(name).type) for name in ("low_covid", "spread", "gate_ms")} == {"double"}
    assert {str(table.schema.field(name).type) for name in ("input", "reasons", "model_version")} == {"string"}


def test_rows_come_back_as_those_of_the_csv_file(outcomes):
    assert decode_table(encode_table(outcomes, COLUMNS)) == [outcome.row for outcome in outcomes]


def test_table_of_other_images_is_noticed(outcomes):
    with pytest.raises(ValueError, match="zip"):
        decode_outcomes(encode_table(outcomes, COLUMNS), ITEMS[:2])
