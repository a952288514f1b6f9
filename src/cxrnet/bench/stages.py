"""The measurements of `cxrnet bench`, as rows of one table: one image, the start of the command, many images."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cxrnet.bench.sample_image import drawing, many_images, sample_image
from cxrnet.bench.throughput import measure_throughput
from cxrnet.bench.timing import Timing, time_together
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.registry import open_bundle
from cxrnet.screening.outputs import write_finding
from cxrnet.screening.panel.panel import draw_panel
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.png import encode_png

MANY = "many images"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: `part`, `name`, milliseconds and their spread, a `note`, and its numbers by name."""

    part: str
    name: str
    timing: Timing
    note: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured: the `bundle`, `runs` per task, `images` through `screen`; a radiograph, if the user has one."""

    bundle: str
    runs: int
    images: int
    radiograph: Path | None = None


def measure(plan: Plan) -> Iterator[Row]:
    """Yield the rows of the table as they are measured."""
    if open_bundle(plan.bundle).config.classifier is None:
        raise UsageError(f"{plan.bundle}: has no classifier; give a bundle that `cxrnet screen` takes")
    source = plan.radiograph or sample_image()
    with Pipeline.load(plan.bundle) as pipeline:
        radiograph = Radiograph.from_array(drawing()) if source is None else pipeline.read(source)
        yield from _stages(pipeline, source, radiograph, plan.runs)
    yield from _starts(source, radiograph, plan.bundle, min(plan.runs, 5))
    if plan.images:
        yield from _many(plan, radiograph)


def _stages(pipeline: Pipeline, source: Path | None, radiograph: Radiograph, runs: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        tasks = stage_tasks(pipeline, radiograph if source is None else source, Path(folder))
        for name, timing in time_together(tasks, runs=runs).items():
            yield Row(part="one image, warm", name=name, timing=timing)


def stage_tasks(pipeline: Pipeline, given: Path | Radiograph, folder: Path) -> dict[str, Callable[[], object]]:
    """Return the steps of one image, by name, each ready to run any number of times; results go to `folder`."""
    radiograph = pipeline.read(given)
    finding, image = pipeline.screen(radiograph), pipeline.prepare(radiograph)
    if finding.heatmaps is None:
        code = finding.reasons[0].code
        raise UsageError(f"{radiograph.name}: is refused ({code}); give an image that is scored, with --image")
    maps, panel = finding.heatmaps, draw_panel(finding)
    return {
        "read": lambda: pipeline.read(given),
        "prepare": lambda: pipeline.prepare(radiograph),
        "graph": lambda: pipeline.run(image),
        "heat maps": maps.maps,
        "panel: draw": lambda: draw_panel(finding),
        "panel: encode": lambda: encode_png(panel),
        "write": lambda: write_finding(finding, folder, {"json", "png"}),
        "file to finding": lambda: pipeline.screen(given),
        "file to results on disk": lambda: write_finding(pipeline.screen(given), folder, {"json", "png"}),
    }


def _starts(source: Path | None, radiograph: Radiograph, bundle: str, runs: int) -> Iterator[Row]:
    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

    with tempfile.TemporaryDirectory() as folder:
        path = source or Path(folder) / "image.png"
        if source is None:
            path.write_bytes(encode_png(radiograph.pixels.astype(np.uint8)))
        tasks = {
            "python": run("-c", "pass"),
            "import cxrnet": run("-c", "import cxrnet"),
            "cxrnet screen": run("-m", "cxrnet", "screen", str(path), "--out", f"{folder}/out", "--bundle", bundle),
        }
        for name, timing in time_together(tasks, runs=runs).items():
            yield Row(part="start, as a process", name=name, timing=timing)


def _many(plan: Plan, radiograph: Radiograph) -> Iterator[Row]:
    with many_images(radiograph.pixels, plan.images) as paths:
        many = measure_throughput(plan.bundle, paths)
    note = f"{many.graph:.2f} images per second, {many.jobs} jobs"
    rate = {"images_per_second": round(many.graph, 2), "jobs": many.jobs}
    yield Row(part=MANY, name="graph alone", timing=Timing.of([1000 / many.graph]), note=note, values=rate)
    share = (
        f"{plan.images} images, {many.screened:.2f} per second, {100 * many.screened / many.graph:.0f} % of the graph"
    )
    memory = f"peak {many.peak / 1e6:.0f} MB, and {many.decoder_peak / 1e6:.0f} MB per decoder"
    values = {
        "images": plan.images,
        "jobs": many.jobs,
        "images_per_second": round(many.screened, 2),
        "graph_per_second": round(many.graph, 2),
        "peak_mb": round(many.peak / 1e6),
        "decoder_peak_mb": round(many.decoder_peak / 1e6),
        "memory_mb": round((many.peak + many.jobs * many.decoder_peak) / 1e6),
    }
    timing = Timing.of([1000 / many.screened])
    yield Row(part=MANY, name="screen, with panels", timing=timing, note=f"{share}; {memory}", values=values)
