"""A long run in partitions: one Parquet file each, written once, in one step; that file is the record that it is done.

A partition whose file is not there is done again, whole. So a worker that dies, or one that does what another has
done already, neither loses nor doubles a row. `partitions.json` has the settings of the run.
"""

import functools
import json
import os
import re
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.errors import StoreError, UsageError
from cxrnet.parallel import parallel_map
from cxrnet.screening.batch import Outcome, batch_settings, table_name, worker
from cxrnet.screening.csv_output import Row, table_lines
from cxrnet.screening.options import Options
from cxrnet.screening.parquet_output import decode_outcomes, decode_table, encode_table
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.plan import Partition, Plan
from cxrnet.screening.progress_log import check_resumable
from cxrnet.screening.store import Store

RECORD = "partitions.json"
_TABLE = re.compile(r"part-\d+-[0-9a-f]{16}\.parquet")

READERS = 8
"""Tables of an earlier run that are read at a time: a store takes long to answer."""

Work = Callable[[Partition], bytes]
Distribute = Callable[[Iterator[Partition]], Iterator[tuple[Partition, bytes]]]
"""Does partitions, in any order, and gives each with its table, which is in its place then."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker must know of a run to do a partition of it."""

    place: str  # where the results go, as of `Store`
    options: Options  # of the run
    # `batch_settings` of the run: a worker with another model or version does not take part
    settings: Mapping[str, Any]
    columns: Sequence[str]  # of the table
    base: str  # folder that relative paths start from

    @property
    def folder(self) -> str:
        """Folder of the tables, for example `findings`."""
        return Path(table_name(self.options)).stem

    def write(self, partition: Partition, outcomes: Sequence[Outcome]) -> bytes:
        """Write the table of a partition, in one step, and return it."""
        content = encode_table(outcomes, self.columns)
        Store(self.place).write(f"{self.folder}/{partition.file}", content)
        return content


def process_partition(pipeline: Pipeline, job: Job, partition: Partition) -> bytes:
    """Screen or segment a partition with `options.jobs` threads, and return its table, which is written then."""
    out = Path(job.place)  # where nothing is saved per image it is not used
    do, threads = worker(pipeline, out, job.options, len(partition.items))
    return job.write(partition, list(parallel_map(do, partition.items, jobs=threads)))


def process_on_worker(job: Job, partition: Partition) -> bytes:
    """Do a partition in a process of a cluster, with the pipeline of this process."""
    host = socket.gethostname()
    if not all(item.address or item.path.is_absolute() for item in partition.items):
        try:
            os.chdir(job.base)
        except OSError as error:
            raise UsageError(
                f"{job.base}: is not on the machine {host}; name the inputs by absolute paths or addresses that every "
                "machine has"
            ) from error
    options = job.options
    pipeline = _pipeline(options.bundle, options.identifiers, options.provider)
    here = batch_settings(pipeline.bundle, options)
    for name, value in here.items():
        if job.settings[name] != value:
            raise UsageError(f"{name}: is {value} on the machine {host}, not {job.settings[name]}; install the same")
    return process_partition(pipeline, replace(job, options=replace(options, jobs=1)), partition)


def run_partitions(plan: Plan, job: Job, distribute: Distribute) -> Generator[Outcome]:
    """Do what is not done of a plan, and yield the outcomes, partition by partition, as these are finished.

    What was done stays if results can no longer be written.
    """
    store = Store(job.place)
    size, done = _start(store, job, plan)
    try:
        ready = (partition for partition in plan.partitions(size) if partition.file in done)
        for outcomes in parallel_map(functools.partial(_recorded_outcomes, store, job), ready, jobs=READERS):
            yield from outcomes
        todo = (partition for partition in plan.partitions(size) if partition.file not in done)
        for partition, content in distribute(todo):
            yield from decode_outcomes(content, partition.items)
    finally:
        if job.options.table == "csv":
            files = (partition.file for partition in plan.partitions(size))
            write_atomic(Path(job.place, table_name(job.options)), table_lines(_rows(store, job, files), job.columns))
    _record(store, job, size, is_finished=True)
    if store.is_local:
        remove_partial_files(Path(job.place, job.folder))  # of workers that were killed


def process_locally(work: Work, todo: Iterable[Partition]) -> Iterator[tuple[Partition, bytes]]:
    """Do partitions one after the other, on this machine."""
    for partition in todo:
        yield partition, work(partition)


def _start(store: Store, job: Job, plan: Plan) -> tuple[int, set[str]]:
    """Return the images per partition, and the files of the partitions that are done."""
    files = {name for name in store.names(job.folder) if _TABLE.fullmatch(name)}
    text = store.read(RECORD)
    try:
        record = json.loads(text) if text else None
        earlier = None if record is None else (dict(record["settings"]), int(record["size"]), record["is_finished"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{store}/{RECORD}: is damaged; remove it to start over, or choose another folder") from error
    options = job.options
    if earlier is None or not files or (earlier[2] and not options.resume):
        size = options.partition or plan.default_size
        _record(store, job, size, is_finished=False)
        for name in files:
            store.remove(f"{job.folder}/{name}")
        if store.is_local:
            remove(Path(job.place, table_name(options)))
        return size, set()
    settings, size, _ = earlier
    now = _settings(job, options.partition or size)
    check_resumable(store, f"{len(files)} partitions", RECORD, settings, now, resume=options.resume)
    planned = {partition.file for partition in plan.partitions(size)}
    _remove_last(store, job, sorted(files - planned), last=max(files, key=_number))
    _record(store, job, size, is_finished=False)
    return size, files & planned


def _remove_last(store: Store, job: Job, others: list[str], *, last: str) -> None:
    """Remove the last partition of an earlier run to which images were added; no other may be of other images."""
    if others not in ([], [last]):
        raise UsageError(
            f"{store}/{job.folder}/{others[0]}: has other images than its run was given now; resume it with the same "
            "inputs, to which images may be added at the end, or choose another folder"
        )
    for name in others:
        store.remove(f"{job.folder}/{name}")


def _number(file: str) -> int:
    return int(file.split("-")[1])


def _settings(job: Job, size: int) -> dict[str, Any]:
    return {**job.settings, "partition": size}


def _record(store: Store, job: Job, size: int, *, is_finished: bool) -> None:
    record = {"settings": _settings(job, size), "size": size, "is_finished": is_finished}
    store.write(RECORD, json.dumps(record, indent=2).encode() + b"\n")


def _recorded_outcomes(store: Store, job: Job, partition: Partition) -> list[Outcome]:
    name = f"{job.folder}/{partition.file}"
    try:
        outcomes = decode_outcomes(store.read(name) or b"", partition.items)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{store}/{name}: is damaged; remove it, and --resume does its images again") from error
    return [outcome.model_copy(update={"is_recalled": True}) for outcome in outcomes]


def _rows(store: Store, job: Job, files: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of the partitions that are done, in the order of the images."""
    for file in files:
        content = store.read(f"{job.folder}/{file}")
        yield from decode_table(content) if content else ()


@functools.lru_cache(maxsize=1)
def _pipeline(bundle: str, identifiers: bool, provider: str) -> Pipeline:
    """Return the pipeline of this process: it is opened once, for all partitions that the process does."""
    return Pipeline.load(bundle, threads=1, identifiers=identifiers, provider=provider)
