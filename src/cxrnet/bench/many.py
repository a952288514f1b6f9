"""Many films through `screen`, beside what the graph alone could do with the same threads."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from cxrnet.parallel import cpu_count
from cxrnet.screening.pipeline import Pipeline

_PROGRAM = """
import json, os, sys, time
from pathlib import Path
from cxrnet.screening.batch import screen_archive
from cxrnet.screening.inputs import gather
from cxrnet.screening.pipeline import Pipeline
bundle, folder, out, jobs, threads = *sys.argv[1:4], *map(int, sys.argv[4:])
def peak(process):
    # not getrusage: a process inherits that of the one that started it
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)
def readers():
    found = Path("/proc/self/task").glob("*/children")
    return [int(number) for file in found for number in file.read_text().split()]
with Pipeline.load(bundle, threads=threads) as pipeline:
    items = gather([folder], image_column="image", leave_out=Path(out)).items
    outcomes = screen_archive(pipeline, items, Path(out), save={"json", "png"}, jobs=jobs)
    for _ in range(2 * jobs):
        next(outcomes)
    start, done = time.perf_counter(), sum(1 for _ in outcomes)
    seconds = time.perf_counter() - start
    told = {"peak": peak(os.getpid()), "child": max(map(peak, readers()), default=0)}
print(json.dumps({"a_second": done / seconds, **told}))
"""


@dataclass(frozen=True, kw_only=True)
class Many:
    """Films a second by `screen` with records and panels, and by the graph alone; peak memory in bytes.

    The graph is timed before and after the films, for the mean of both. `peak` is that of the program, `child` that
    of the largest of its `jobs` readers; 0 where there is no /proc.
    """

    films: int
    jobs: int
    screened: float
    graph: float
    peak: int
    child: int


def screen_many(bundle: str, films: Sequence[Path]) -> Many:
    """Return how fast `films`, PNG files in one folder, are screened in a process of its own."""
    import json

    jobs = cpu_count()
    before = graph_alone(bundle, films[0], jobs=jobs)
    with tempfile.TemporaryDirectory() as out:
        arguments = [bundle, str(films[0].parent), str(Path(out) / "results"), str(jobs), "1"]
        done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Many(
        films=len(films),
        jobs=jobs,
        screened=told["a_second"],
        graph=(before + graph_alone(bundle, films[0], jobs=jobs)) / 2,
        peak=told["peak"],
        child=told["child"],
    )


def graph_alone(bundle: str, film: Path, *, jobs: int, each: int = 24) -> float:
    """Return the films a second of the graph in `jobs` threads, one film prepared beforehand."""
    with Pipeline.load(bundle, threads=1) as pipeline:
        image = pipeline.prepare(pipeline.read(film))
        pipeline.run(image)
        with ThreadPoolExecutor(jobs) as pool:
            start = perf_counter()
            list(pool.map(lambda _: pipeline.run(image), range(each * jobs)))
            return each * jobs / (perf_counter() - start)
