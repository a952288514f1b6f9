"""A million images through the bookkeeping of a run in partitions, with made-up findings in place of the network.

    python -m benchmarks.archive_simulation --out DIR [--images 1000000] [--partition 500] [--backend local|ray]

What is real: reading a Parquet manifest, the plan and its partitions, `partitions.json`, encoding and writing each
Parquet file, reading back every outcome, and with `--backend ray` one Ray task per partition. What is made up: the
outcome of an image, one of 1,000, of which about 5 % are refused and 1 % failed. Half-way the run is dropped, as if it
had been killed, and resumed. Afterwards the rows are counted: every image has to be there once.

Prints one line per 5 % of the images: seconds, images per second since the line before, resident memory (MB) of this
process; then, as JSON, the totals. The time per image and the memory stay the same if the bookkeeping is linear.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from cxrnet.model.registry import open_bundle
from cxrnet.screening.batch import Outcome, batch_columns, batch_settings
from cxrnet.screening.csv_output import finding_row
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.options import Options
from cxrnet.screening.partitions import Job, process_locally, run_partitions
from cxrnet.screening.plan import Partition, Plan

REFUSED, FAILED = 0.05, 0.01
CHUNK = 10_000


def write_manifest(path: Path, count: int) -> None:
    schema = pa.schema([("image", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, CHUNK):
            names = [f"s3://archive/2026/{n % 977:03d}/{n:09d}.dcm" for n in range(start, min(start + CHUNK, count))]
            writer.write_table(pa.table({"image": names}, schema=schema))


@functools.cache
def findings(name: str, version: str, sha256: str) -> list[Finding]:
    """Return the made-up findings of which every image gets one."""
    return [make_up(random.Random(seed), {"name": name, "version": version, "sha256": sha256}) for seed in range(1000)]


def make_up(rng: random.Random, identity: dict[str, str]) -> Finding:
    drawn = rng.random()
    fields: dict[str, Any] = {"input": "made up", "model": identity, "status": "scored"}
    if drawn < FAILED:
        fields |= {"status": "failed", "reasons": (Reason("NOT_FOUND", "made up: no such object"),)}
    else:
        times = {stage: rng.uniform(5, 60) for stage in ("read", "prepare", "gate", "network")}
        fields |= {"lung_area_fraction": rng.uniform(0.1, 0.5), "timing_ms": times}
    if FAILED <= drawn < FAILED + REFUSED:
        fields |= {"status": "refused", "reasons": (Reason("LATERAL", "a lateral view"),)}
    if fields["status"] == "scored":
        score = rng.random()
        fields |= {
            "scores": {"covid": score, "non-covid": 1 - score},
            "interval": {"covid": (score * 0.9, score), "non-covid": (1 - score, 1 - 0.9 * score)},
            "spread": rng.uniform(0, 0.2),
            "is_calibrated": True,
            "is_uncertain": drawn > 0.8,
        }
    return Finding(**fields)


def make_up_partition(job: Job, identity: dict[str, str], partition: Partition) -> bytes:
    made, rng = findings(**identity), random.Random(partition.number)
    outcomes = []
    for item in partition.items:
        finding = rng.choice(made)
        row = finding_row(finding, item)
        outcomes.append(Outcome(item=item, status=finding.status, reasons=finding.reasons, row=row))
    return job.write(partition, outcomes)


def distributor(job: Job, identity: dict[str, str]) -> Any:
    work = partial(make_up_partition, job, identity)
    if job.options.backend == "local":
        return partial(process_locally, work)
    from cxrnet.screening.ray_backend import distribute_on_ray

    return partial(distribute_on_ray, work, workers=None)


def memory_mb() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def sampled(outcomes: Iterator[Outcome], total: int, first: int = 0) -> Iterator[int]:
    """Yield the number of each outcome, and print a line now and then."""
    before = perf_counter()
    for number, _ in enumerate(outcomes, start=first + 1):
        if number % (total // 20) == 0:
            now = perf_counter()
            print(
                f"{number:>9} {now - before:7.2f} s {total / 20 / (now - before):9.0f}/s {memory_mb():6.0f} MB",
                flush=True,
            )
            before = now
        yield number


def main() -> None:
    """Run the simulation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--partition", type=int, default=500)
    parser.add_argument("--backend", choices=("local", "ray"), default="local")
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    bundle = open_bundle("covid")
    totals: dict[str, Any] = {"images": given.images, "partition": given.partition, "backend": given.backend}
    write_manifest(given.out / "images.parquet", given.images)

    def run(stop_after: int | None = None, **changes: bool) -> None:
        name = "resumed" if changes else "first half"
        start = perf_counter()
        options = Options(
            save=frozenset(),
            table="parquet",
            partition=given.partition,
            backend=given.backend,
            **changes,  # type: ignore[arg-type]
        )
        job = Job(
            place=str(given.out / "results"),
            options=options,
            settings=batch_settings(bundle, options),
            columns=batch_columns(bundle, options),
            base=str(Path.cwd()),
        )
        manifest = str(given.out / "images.parquet")
        with closing(Plan.of([manifest], image_column="image", exclude=None, patient_columns=())) as plan:
            totals[f"plan, {name}, s"] = round(perf_counter() - start, 1)
            with closing(run_partitions(plan, job, distributor(job, bundle.identity))) as outcomes:
                for number in sampled(outcomes, given.images):
                    if number == stop_after:
                        break
        totals[f"{name}, s"] = round(perf_counter() - start, 1)

    print("   images    time       rate   memory: first half")
    run(stop_after=given.images // 2)
    totals["memory, first half, MB"] = round(memory_mb())
    print("   images    time       rate   memory: resumed, the first half is read back")
    run(resume=True)
    totals["memory, resumed, MB"] = round(memory_mb())
    table = ds.dataset(given.out / "results/findings", format="parquet")
    totals["rows"] = table.count_rows()
    totals["distinct images"] = pc.count_distinct(table.to_table(columns=["input"])["input"]).as_py()
    files = list((given.out / "results/findings").iterdir())
    totals |= {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    print(json.dumps(totals, indent=2))


if __name__ == "__main__":
    main()
