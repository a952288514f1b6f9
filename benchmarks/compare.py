"""The graph of a bundle next to other libraries and to the arithmetic minimum, and where its time goes.

    pip install -e '.[train,oracle]'
    python -m benchmarks.compare --bundle covid [--runs 15]

The floor is the time of a network's floating-point operations at the rate of a float32 matrix product, measured in the
same run. Compare rows of one run, not runs: machines are noisy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmarks.baselines import scatterings, segmenters
from benchmarks.flops import matrix_task, operations
from benchmarks.graph_profile import time_inside
from cxrnet import CxrNetError, Pipeline
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


def compared(part: str, tasks: Tasks, runs: int, count: float, differences: Mapping[str, float]) -> Iterator[str]:
    """Yield a line per task: its time, the ratio to the floor and to the graph."""
    timings, rate = time_with_floor(tasks, runs)
    yield f"\n{part}: floor {count / rate:.1f} ms"
    for name, timing in timings.items():
        spread = f"{timing.median:8.1f} ({timing.fastest:.1f} to {timing.slowest:.1f}) ms"
        ratios = f"{timing.median * rate / count:6.2f} x floor, {timing.median / timings['graph'].median:5.2f} x graph"
        note = f", differs by {differences[name]:.1e} of the largest" if name in differences else ""
        yield f"  {name:<34}{spread:<34}{ratios}{note}"


def lines(bundle: Bundle, pipeline: Pipeline, runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    counts = operations(bundle.config)
    source = sample_image()
    image = pipeline.prepare(Radiograph.from_array(drawing()) if source is None else pipeline.read(source))
    timings, rate = time_with_floor({"graph": lambda: pipeline.run(image)}, runs)
    yield f"{rate / 1e6:.0f} GFLOP/s in a float32 matrix product"
    whole = sum(counts.values()) / rate
    yield f"graph: {timings['graph'].median:.1f} ms, floor {whole:.1f} ms"
    for name, milliseconds in time_inside(bundle, image, runs=runs).items():
        yield f"  {name:<34}{milliseconds:8.1f} ms{counts[name] / rate:8.1f} ms floor"
    yield from compared("Module 1", segmenters(bundle, image), runs, counts["module 1"], {})
    for batch in (1, 16):
        tasks, differences = scatterings(bundle, np.repeat(image[None], batch, axis=0))
        yield from compared(f"scattering, batch {batch}", tasks, runs, counts["scattering"] * batch, differences)


def main() -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="covid")
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    try:
        with Pipeline.load(options.bundle) as pipeline:
            for line in lines(pipeline.bundle, pipeline, options.runs):
                print(line)
    except CxrNetError as error:
        sys.exit(f"ERROR {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
