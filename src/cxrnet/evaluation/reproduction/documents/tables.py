"""The tables of the documents that are rendered from a file of `benchmarks/results`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cxrnet.bench.record import BenchmarkRecord, Row
from cxrnet.evaluation.reproduction.documents.checkout import GATE, LEAKAGE, PERFORMANCE, RESULTS

Cell = Callable[[Row], str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its `document` and `name` there, the `file` and `part` it is made from, heading -> cell of a row.

    Only rows with a value of `needs` are in it, if that is given.
    """

    document: str
    name: str
    file: str
    part: str = ""
    needs: str = ""
    columns: Mapping[str, Cell]

    def render(self, record: BenchmarkRecord) -> str:
        """Return the table as Markdown."""
        chosen = [row for row in record.part(self.part) if not self.needs or row.get(self.needs) is not None]
        rows = [[cell(row) for cell in self.columns.values()] for row in chosen]
        lines = [f"| {' | '.join(cells)} |" for cells in (list(self.columns), *rows)]
        return "\n".join([lines[0], f"|{'---|' * len(self.columns)}", *lines[1:]])


def text(name: str) -> Cell:
    """Return the cell of a value as it is; nothing where there is no value."""
    return lambda row: "" if row.get(name) is None else str(row[name])


def rounded(name: str) -> Cell:
    """Return the cell of a number with two significant digits, whole numbers with all of theirs."""
    return lambda row: two_digits(row.get(name))


def two_digits(value: float | str | None) -> str:
    """Return a number with two significant digits, or all digits before the point; nothing for no number."""
    if not isinstance(value, int | float):
        return ""
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def time(row: Row) -> str:
    """Return the median, with fastest and slowest where they are known and differ."""
    median, fastest, slowest = (two_digits(row.get(name)) for name in ("median", "fastest", "slowest"))
    return f"{median} ({fastest} to {slowest})" if fastest != slowest else median


def share(name: str, of: str) -> Cell:
    """Return the cell of a share of two counts in percent; nothing where there is no count."""
    return lambda row: "" if row.get(name) is None else f"{100 * float(row[name] or 0) / float(row[of] or 1):.0f} %"


def interval(name: str) -> Cell:
    """Return the cell of a value with its interval, `NAME_low` to `NAME_high`."""

    def cell(row: Row) -> str:
        value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
        return "-" if value is None else f"{value:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")

    return cell


GATE_COLUMNS = {name: text(name) for name in ("kind", "n", "refused", "warned", "scored")}
LEAKAGE_COLUMNS = {
    "means of": text("features"),
    "model": text("model"),
    "images": lambda row: f"{row['images']} ({row['n']})",
    **{name: interval(name) for name in ("image", "group", "source", "image - group")},
}
STEP_COLUMNS = {"step": text("name"), "ms": time}
FLOOR_COLUMNS = {"part": text("name"), "ms": time, "floor": rounded("floor"), "ratio": rounded("of_floor")}
MANY_COLUMNS = {
    "PNG images of 1024 x 1024, two jobs": text("images"),
    "images per second": text("images_per_second"),
    "share of the graph alone": lambda row: (
        f"{share('images_per_second', 'graph_per_second')(row)} of {row['graph_per_second']}"
    ),
    "peak memory": lambda row: (
        f"{row['peak_mb']} MB, and {row['decoder_peak_mb']} MB for each of {row['jobs']} readers"
    ),
}
TABLES = (
    Table(document=GATE, name="gate", file="gate.json", columns=GATE_COLUMNS | {"correct reason": share("right", "n")}),
    Table(document=LEAKAGE, name="leakage", file="leakage.json", part="as they are", columns=LEAKAGE_COLUMNS),
    Table(document=LEAKAGE, name="leakage-permuted", file="leakage.json", part="permuted", columns=LEAKAGE_COLUMNS),
    Table(document=PERFORMANCE, name="steps", file="bench.json", part="one image, warm", columns=STEP_COLUMNS),
    Table(document=PERFORMANCE, name="start", file="bench.json", part="start, as a process", columns=STEP_COLUMNS),
    Table(
        document=PERFORMANCE, name="many", file="bench.json", part="many images", needs="images", columns=MANY_COLUMNS
    ),
    Table(document=PERFORMANCE, name="graph", file="compare.json", part="graph", columns=FLOOR_COLUMNS),
    Table(
        document=PERFORMANCE,
        name="segmenter",
        file="compare.json",
        part="Module 1",
        columns={"Module 1, one halved image": text("name"), "ms": time, "times the graph": rounded("of_graph")},
    ),
    Table(
        document=PERFORMANCE,
        name="scattering",
        file="compare.json",
        part="scattering",
        columns={
            "scattering, 300 x 340, J=2, L=6": text("name"),
            "images": text("images"),
            "ms": time,
            "times the graph": rounded("of_graph"),
        },
    ),
    Table(
        document=PERFORMANCE,
        name="training-step",
        file="training-step.json",
        columns={"step": text("name"), "s per image": time, "ratio": rounded("ratio")},
    ),
)


def write_tables(root: Path, *, is_check: bool) -> Iterator[str]:
    """Write each table into its document below `root`, or only compare it; yield what differed."""
    for table in TABLES:
        path = root / table.document
        record = BenchmarkRecord.read(root / RESULTS / table.file)
        content = path.read_text(encoding="utf-8")
        region = re.compile(rf"(<!-- table: {re.escape(table.name)} -->\n\n)(.*?)\n\n<!-- end -->", re.DOTALL)
        found = list(region.finditer(content))
        if len(found) != 1:
            yield f"{table.document}: has {len(found)} places for the table {table.name}, not one"
        elif found[0][2] != (right := table.render(record)):
            yield f"{table.document}: the table {table.name} is not that of {RESULTS}/{table.file}"
            if not is_check:
                written = content[: found[0].start(2)] + right + content[found[0].end(2) :]
                path.write_text(written, encoding="utf-8")
