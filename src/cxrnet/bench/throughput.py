"""Many images through `screen`, next to what the graph alone could do with the same threads.

    python -m cxrnet.bench.throughput BUNDLE FOLDER OUT JOBS

screens the images of a folder and prints images per second and peak memory as JSON: `measure_throughput` starts it, so
that the memory is that of screening alone.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from cxrnet.parallel import cpu_count
from cxrnet.screening.batch import run_batch
from cxrnet.screening.inputs import find_inputs
from cxrnet.screening.options import Options
from cxrnet.screening.pipeline import Pipeline

REPEATS = 24
"""Runs of the graph in each thread."""


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Images per second by `screen` with records and panels, and by the graph alone; peak memory in bytes.

    The graph is timed before and after the images, for the mean of both. `peak` is that of the program, `decoder_peak`
    that of the largest of its `jobs` decoder processes; 0 where there is no /proc.
    """

    jobs: int
    screened: float
    graph: float
    peak: int
    decoder_peak: int


def measure_throughput(bundle: str, images: Sequence[Path]) -> Throughput:
    """Return how fast `images`, files in one folder, are screened in a process of its own."""
    jobs = cpu_count()
    before = graph_rate(bundle, images[0], jobs=jobs)
    with tempfile.TemporaryDirectory() as out:
        arguments = [bundle, str(images[0].parent), str(Path(out) / "results"), str(jobs)]
        command = [sys.executable, "-m", "cxrnet.bench.throughput", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    return Throughput(jobs=jobs, graph=(before + graph_rate(bundle, images[0], jobs=jobs)) / 2, **measured)


def graph_rate(bundle: str, image: Path, *, jobs: int) -> float:
    """Return the images per second of the graph in `jobs` threads, one image prepared beforehand."""
    with Pipeline.load(bundle, threads=1) as pipeline:
        prepared = pipeline.prepare(pipeline.read(image))
        pipeline.run(prepared)
        with ThreadPoolExecutor(jobs) as pool:
            start = perf_counter()
            list(pool.map(lambda _: pipeline.run(prepared), range(REPEATS * jobs)))
            return REPEATS * jobs / (perf_counter() - start)


def screen_folder(bundle: str, folder: str, out: Path, jobs: int) -> dict[str, float]:
    """Screen the images of a folder; return the rate after the first images, and the peak memory."""
    with Pipeline.load(bundle, threads=1) as pipeline:
        items = find_inputs([folder], exclude=out).items
        outcomes = run_batch(pipeline, items, out, Options(jobs=jobs))
        for _ in range(2 * jobs):
            next(outcomes)
        start, done = perf_counter(), sum(1 for _ in outcomes)
        seconds = perf_counter() - start
        children = [child for file in Path("/proc/self/task").glob("*/children") for child in file.read_text().split()]
        decoder_peak = max(map(_peak_memory, children), default=0)
    return {"screened": done / seconds, "peak": _peak_memory(str(os.getpid())), "decoder_peak": decoder_peak}


def _peak_memory(process: str) -> int:
    """Return the peak of the resident memory in bytes; `getrusage` would return that of the parent process."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)


if __name__ == "__main__":
    bundle, folder, out, jobs = sys.argv[1:]
    print(json.dumps(screen_folder(bundle, folder, Path(out), int(jobs))))
