"""The graph of a bundle next to other libraries and to the arithmetic minimum, and where its time goes.

    pip install -e '.[train,oracle]'
    python -m benchmarks.compare --bundle covid [--runs 15] [--json FILE]

The floor is the time of a network's floating-point operations at the rate of a float32 matrix product, measured in the
same run; `difference` is that from the graph, of the largest coefficient. Compare rows of one run, not runs: machines
are noisy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.baselines import scatterings, segmenters
from benchmarks.flops import matrix_task, operations
from benchmarks.graph_profile import time_inside
from cxrnet import CxrNetError, Pipeline
from cxrnet.bench.record import BenchmarkRecord, Row
from cxrnet.bench.sample_image import drawing, sample_image
from cxrnet.bench.timing import Timing, time_together
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.bundle import Bundle

Tasks = Mapping[str, Callable[[], object]]


def time_with_floor(tasks: Tasks, runs: int) -> tuple[dict[str, Timing], float]:
    """Return the timing of each task and, from the same turns, the operations per millisecond of a matrix product."""
    product, floating = matrix_task()
    timings = time_together({**tasks, "": product}, runs=runs)
    return timings, floating / timings.pop("").median


def row(part: str, name: str, timing: Timing, floor: float, graph: float) -> Row:
    """Return the line of a task: its time, and its ratios to the floor and to the graph."""
    times: Row = {key: round(getattr(timing, key), 3) for key in ("median", "fastest", "slowest")}
    ratios = {"of_floor": round(timing.median / floor, 3), "of_graph": round(timing.median / graph, 3)}
    return {"part": part, "name": name, **times, "floor": round(floor, 3), **ratios}


def compared(part: str, tasks: Tasks, runs: int, count: float) -> Iterator[Row]:
    """Yield a row for each task."""
    timings, rate = time_with_floor(tasks, runs)
    for name, timing in timings.items():
        yield row(part, name, timing, count / rate, timings["graph"].median)


def rows(bundle: Bundle, pipeline: Pipeline, runs: int) -> Iterator[Row]:
    """Yield the rows of the report."""
    counts = operations(bundle.config)
    source = sample_image()
    image = pipeline.prepare(Radiograph.from_array(drawing()) if source is None else pipeline.read(source))
    timings, rate = time_with_floor({"graph": lambda: pipeline.run(image)}, runs)
    graph = timings["graph"]
    yield {"part": "machine", "name": "float32 matrix product", "gflops": round(rate / 1e6, 1)}
    yield row("graph", "the graph", graph, sum(counts.values()) / rate, graph.median)
    for name, milliseconds in time_inside(bundle, image, runs=runs).items():
        inside = Timing.of([milliseconds])
        yield row("graph", f"of it {name}", inside, counts[name] / rate, graph.median)
    yield from compared("Module 1", segmenters(bundle, image), runs, counts["module 1"])
    for batch in (1, 16):
        tasks, differences = scatterings(bundle, np.repeat(image[None], batch, axis=0))
        for one in compared("scattering", tasks, runs, counts["scattering"] * batch):
            yield one | {"images": batch, "difference": differences.get(str(one["name"]))}


def main() -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="covid")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    record = []
    try:
        with Pipeline.load(options.bundle) as pipeline:
            for one in rows(pipeline.bundle, pipeline, options.runs):
                print(", ".join(f"{name} {value}" for name, value in one.items()), flush=True)
                record.append(one)
    except CxrNetError as error:
        sys.exit(f"ERROR {error}")
    if options.json:
        command = f"python -m benchmarks.compare --bundle {Path(options.bundle).name} --runs {options.runs}"
        BenchmarkRecord(command=command, rows=tuple(record)).write(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
