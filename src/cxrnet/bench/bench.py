"""All measurements of `cxrnet bench`, as rows of one table."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrnet.bench.film import drawing, many_films, sample_film
from cxrnet.bench.floor import matrix_task, operations
from cxrnet.bench.graph import time_inside
from cxrnet.bench.many import screen_many
from cxrnet.bench.rivals import scatterings, segmenters
from cxrnet.bench.timing import Timing, time_together
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.bundle import Bundle
from cxrnet.model.registry import open_bundle
from cxrnet.screening.outputs import panel_content, write_finding
from cxrnet.screening.panel.panel import draw_panel
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.png import encode_png


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: `part`, `name`, milliseconds with their spread, the `floor` where there is one, a `note`.

    `median` alone is known of parts of the graph; `fastest` and `slowest` are None there.
    """

    part: str
    name: str
    median: float | None = None
    fastest: float | None = None
    slowest: float | None = None
    floor: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Times the floor."""
        return None if self.floor is None or self.median is None else self.median / self.floor


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured: the `bundle`, `runs` of each task, `films` through `screen`; a film, where the user has one."""

    bundle: str
    runs: int
    films: int
    film: Path | None = None


def measure(plan: Plan) -> Iterator[Row]:
    """Yield the rows of the table as they are measured.

    Raises:
        UsageError: The bundle has no classifier, or the film is not scored.
        RadiographError: The film cannot be read.
    """
    bundle = open_bundle(plan.bundle)
    if bundle.config.classifier is None:
        raise UsageError(f"{plan.bundle}: has no classifier; give a bundle that `cxrnet screen` takes")
    counts = operations(bundle.config)
    with Pipeline.load(plan.bundle) as pipeline:
        source = plan.film or sample_film()
        film = Radiograph.from_array(drawing()) if source is None else pipeline.read(source)
        image = pipeline.prepare(film)
        rate = yield from _stages(pipeline, source, film, counts, plan.runs)
        inside = time_inside(bundle, image, runs=plan.runs)
        for name, milliseconds in inside.items():
            yield Row(part="inside the graph", name=name, median=milliseconds, floor=counts[name] / rate)
    yield from _rivals("Module 1, against", segmenters(bundle, image), plan.runs, counts["module 1"])
    for batch in (1, 16):
        tasks, differences = scatterings(bundle, np.repeat(image[None], batch, axis=0))
        count = counts["scattering"] * batch
        yield from _rivals(f"scattering, batch {batch}, against", tasks, plan.runs, count, differences)
    yield from _starts(source, film, plan.bundle, min(plan.runs, 5))
    yield from _many(plan, film)


def _time(tasks: Mapping[str, Callable[[], object]], runs: int) -> tuple[dict[str, Timing], float]:
    """Return the timing of each task and, from the same turns, the operations a millisecond of a matrix product."""
    product, floating = matrix_task()
    timings = time_together({**tasks, "": product}, runs=runs)
    return timings, floating / timings.pop("").median


def _floors(bundle: Bundle, rate: float) -> str:
    """Return the floor of the bundle's network and, where Module 1 works on halved images, that of whole ones."""
    told = [f"{sum(operations(bundle.config).values()) / rate:.0f} ms a film"]
    if bundle.config.segmenter.output_stride != 1:
        whole = bundle.config.segmenter.model_copy(update={"output_stride": 1})
        config = bundle.config.model_copy(update={"segmenter": whole})
        told.append(f"{sum(operations(config).values()) / rate:.0f} ms with Module 1 at an output stride of 1")
    return ", ".join(told)


def _stages(
    pipeline: Pipeline, source: Path | None, film: Radiograph, counts: dict[str, float], runs: int
) -> Generator[Row, None, float]:
    """Yield the rows of one film; return the operations a millisecond of the matrix product in their turns."""
    finding = pipeline.screen(film)
    if finding.heatmaps is None:
        msg = f"{film.name}: is refused ({finding.reasons[0].code}); give a film that is scored, with --film"
        raise UsageError(msg)
    image, content, maps = pipeline.prepare(film), panel_content(finding), finding.heatmaps
    panel, given = draw_panel(content), film if source is None else source
    with tempfile.TemporaryDirectory() as folder:
        tasks: dict[str, Callable[[], object]] = {
            "read": lambda: pipeline.read(given),
            "prepare": lambda: pipeline.prepare(film),
            "graph": lambda: pipeline.run(image),
            "heat maps": maps.maps,
            "panel: draw": lambda: draw_panel(content),
            "panel: encode": lambda: encode_png(panel),
            "write": lambda: write_finding(finding, Path(folder), {"json", "png"}),
            "file to finding": lambda: pipeline.screen(given),
            "file to results on disk": lambda: write_finding(pipeline.screen(given), Path(folder), {"json", "png"}),
        }
        timings, rate = _time(tasks, runs)
    name = f"{rate / 1e6:.0f} GFLOP/s in a float32 matrix product"
    yield Row(part="floor", name=name, note=_floors(pipeline.bundle, rate))
    whole = sum(counts.values()) / rate
    for name, timing in timings.items():
        has_floor = name == "graph" or name.startswith("file to")
        yield _row("one film, warm", name, timing, floor=whole if has_floor else None)
    return rate


def _rivals(
    part: str,
    tasks: object,
    runs: int,
    count: float,
    differences: dict[str, float] | None = None,
) -> Iterator[Row]:
    assert isinstance(tasks, dict)
    timings, rate = _time(tasks, runs)
    if len(timings) < 2:
        yield Row(part=part, name="rivals are not installed", note="pip install 'cxrnet[train,oracle]'")
    for name, timing in timings.items():
        note = "" if name == "graph" else f"{timing.median / timings['graph'].median:.2f} times the graph"
        if differences and name in differences:
            note += f", differs by {differences[name]:.1e} of the largest"
        yield _row(part, name, timing, floor=count / rate, note=note)


def _starts(source: Path | None, film: Radiograph, bundle: str, runs: int) -> Iterator[Row]:
    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

    with tempfile.TemporaryDirectory() as folder:
        path = source or Path(folder) / "film.png"
        if source is None:
            path.write_bytes(encode_png(film.pixels.astype(np.uint8)))
        tasks = {
            "python": run("-c", "pass"),
            "import cxrnet": run("-c", "import cxrnet"),
            "cxrnet screen": run("-m", "cxrnet", "screen", str(path), "--out", f"{folder}/out", "--bundle", bundle),
        }
        for name, timing in time_together(tasks, runs=runs).items():
            yield _row("start, as a process", name, timing)


def _many(plan: Plan, film: Radiograph) -> Iterator[Row]:
    if not plan.films:
        return
    with many_films(film.pixels, plan.films) as paths:
        many = screen_many(plan.bundle, paths)
    part = f"{many.films} films, {many.jobs} jobs"
    yield Row(part=part, name="graph alone", median=1000 / many.graph, note=f"{many.graph:.2f} films a second")
    share = f"{many.screened:.2f} films a second, {many.screened / many.graph:.0%} of the graph".replace("%", " %")
    memory = f"peak {many.peak / 1e6:.0f} MB, and {many.child / 1e6:.0f} MB a reader"
    yield Row(part=part, name="screen, with panels", median=1000 / many.screened, note=f"{share}; {memory}")


def _row(part: str, name: str, timing: Timing, *, floor: float | None = None, note: str = "") -> Row:
    return Row(
        part=part,
        name=name,
        median=timing.median,
        fastest=timing.fastest,
        slowest=timing.slowest,
        floor=floor,
        note=note,
    )
