"""Images per second of a batch on this machine, with the local backend and with 1 and 2 Ray workers, in turns.

    python -m benchmarks.backends --manifest images.csv --out DIR [--rounds 3] [--save json] [--partition 50]

Each round runs every backend once, in another order. The cluster is started before, and its time is printed; a first
run that is not counted has each worker load the model. Processor time is that of this process and all below it, the
cluster included: where the machine has other users it says more than the elapsed time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from statistics import median
from time import perf_counter

from cxrnet.screening.options import Options
from cxrnet.screening.run import open_run
from cxrnet.screening.saves import parse_saves

TICKS = os.sysconf("SC_CLK_TCK")


def processor_time() -> float:
    """Return the seconds of processor time of this process and those below it, dead ones included."""
    parents, times = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended since
        parents[int(path.parent.name)] = int(fields[1])
        times[int(path.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    family = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(times[one] for one in family if one in times)


def run(manifest: str, out: Path, options: Options) -> tuple[int, float, float]:
    """Return the number of images, and the elapsed and the processor seconds for all."""
    shutil.rmtree(out, ignore_errors=True)
    spent, start = processor_time(), perf_counter()
    with open_run([manifest], out, options) as opened:
        count = sum(1 for _ in opened.outcomes)
        elapsed, used = perf_counter() - start, processor_time() - spent
    return count, elapsed, used


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", default="json")
    parser.add_argument("--partition", type=int, default=50)
    given = parser.parse_args()
    import ray

    start = perf_counter()
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # as `cxrnet` sets it
    ray.init(log_to_driver=False, include_dashboard=False, num_cpus=2)
    print(f"start of the cluster: {perf_counter() - start:.1f} s", flush=True)
    save = parse_saves(given.save)
    backends = {
        "local, 2 jobs": Options(save=save, jobs=2),
        "Ray, 1 worker": Options(save=save, jobs=1, table="parquet", partition=given.partition, backend="ray"),
        "Ray, 2 workers": Options(save=save, jobs=2, table="parquet", partition=given.partition, backend="ray"),
    }
    run(given.manifest, given.out, backends["Ray, 2 workers"])
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in backends}
    for turn in range(given.rounds):
        names = list(backends)
        for name in names[turn % 3 :] + names[: turn % 3]:
            count, elapsed, used = run(given.manifest, given.out, backends[name])
            found[name].append((count / elapsed, used / count))
            print(f"{name:24} {count / elapsed:6.2f} images/s {1000 * used / count:6.0f} ms of processor", flush=True)
    two, one, local = (
        [rate for rate, _ in found[name]] for name in ("Ray, 2 workers", "Ray, 1 worker", "local, 2 jobs")
    )
    ratios = {
        "2 workers / 1 worker": [round(a / b, 2) for a, b in zip(two, one, strict=True)],
        "2 workers / local": [round(a / b, 2) for a, b in zip(two, local, strict=True)],
        "median images/s": {name: round(median(rate for rate, _ in runs), 2) for name, runs in found.items()},
        "median ms of processor": {
            name: round(1000 * median(used for _, used in runs)) for name, runs in found.items()
        },
        "load": os.getloadavg(),
    }
    print(json.dumps(ratios, indent=2))


if __name__ == "__main__":
    main()
