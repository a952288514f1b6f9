"""The sentences of README and documents whose figures are in `benchmarks/results`."""

from collections.abc import Iterator
from pathlib import Path

from cxrnet.bench.record import BenchmarkRecord
from cxrnet.evaluation.reproduction.documents.checkout import GATE, LEAKAGE, README, RESULTS
from cxrnet.evaluation.reproduction.documents.statement import Statement

FRONTAL = "frontal radiograph"


def benchmark_statements(root: Path) -> Iterator[Statement]:
    """Yield every statement about the benchmarks of a checkout."""
    results = root / RESULTS
    yield from _speed(BenchmarkRecord.read(results / "bench.json"))
    yield from _gate(BenchmarkRecord.read(results / "gate.json"))
    yield from _leakage(BenchmarkRecord.read(results / "leakage.json"))


def _speed(bench: BenchmarkRecord) -> Iterator[Statement]:
    one, command = (bench.value("median", name=name) / 1000 for name in ("file to finding", "cxrnet screen"))
    sentence = "| one image on two cores, [warm](docs/explanation/performance.md); the whole command | {} s; {} s |"
    yield Statement(README, sentence, (f"{one:.2f}", f"{command:.1f}"))
    many = "screen, with panels"
    rate, memory = (bench.value(column, name=many) for column in ("images_per_second", "memory_mb"))
    sentence = "| many images on two cores | {} images per second, {} GB |"
    yield Statement(README, sentence, (f"{rate:.0f}", f"{memory / 1000:.2f}"))


def _gate(gate: BenchmarkRecord) -> Iterator[Statement]:
    columns = ("n", "refused", "warned", "right")
    n, refused, warned, right = (_sum(gate, column) for column in columns)
    frontal, false, doubted = (gate.value(column, kind=FRONTAL) for column in ("n", "refused", "warned"))
    counts = (f"{frontal:.0f}", f"{n:.0f}")
    sentence = (
        "rejections and warnings among {} valid images; rejections or warnings among {} invalid ones | {} % and {} %; "
        "{} % |"
    )
    shares = (_percent(false, frontal), _percent(doubted, frontal), _percent(refused + warned, n))
    yield Statement(README, sentence, (*counts, *shares))
    yield Statement(GATE, "{} frontal radiographs of `val` (six sources), and {} others", counts)
    sentence = (
        "{} % of the frontal radiographs are refused and {} % get a warning; of the others {} % are refused and {} % "
        "get a warning, {} % with the correct reason"
    )
    of_others = (_percent(refused, n), _percent(warned, n), _percent(right, n))
    yield Statement(GATE, sentence, (*shares[:2], *of_others))


def _sum(gate: BenchmarkRecord, column: str) -> float:
    """Return the sum of a column over everything that should be refused."""
    return sum(float(row.get(column) or 0) for row in gate.rows if row["kind"] != FRONTAL)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}"


def _leakage(leakage: BenchmarkRecord) -> Iterator[Statement]:
    images, groups, first = (f"{leakage.value(name, part='images'):,.0f}" for name in ("n", "groups", "first_class"))
    sentence = "one run on {} public images of {} groups and 6 sources, {} of them Covid"
    yield Statement(LEAKAGE, sentence, (images, groups, first))
    low, high = (f"{100 * leakage.value(end, part='shared', kind='image'):.1f}" for end in ("low", "high"))
    source = f"{100 * leakage.value('high', part='shared', kind='source'):.1f}"
    sentence = (
        "With folds by image, {} to {} % of the images have another image of their group in another fold; with folds "
        "by group no image has; by source {} %"
    )
    yield Statement(LEAKAGE, sentence, (low, high, source))
    best = {"part": "as they are", "features": "5 x 5 parts", "model": "logistic", "images": "all"}
    image, by_source = (f"{leakage.value(kind, **best):.2f}" for kind in ("image", "source"))
    yield Statement(LEAKAGE, "{} becomes {} if the hospital of an image is new", (image, by_source))
