"""One call from what the user named to a running batch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrnet.errors import UsageError, require
from cxrnet.imaging.decoder_pool import DecoderPool
from cxrnet.parallel import cpu_count
from cxrnet.screening.inputs import find_inputs
from cxrnet.screening.options import Options
from cxrnet.screening.store import Store, is_address

if TYPE_CHECKING:
    from cxrnet.model.bundle import Bundle
    from cxrnet.screening.batch import Outcome
    from cxrnet.screening.pipeline import Pipeline
    from cxrnet.screening.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is ready."""

    total: int  # number of images
    notes: tuple[str, ...]  # what was left out, one line each
    # one per input, in their order, or partition by partition; iterating over them does the work
    outcomes: Generator[Outcome]
    table: Path | str  # path of the table that is written, or of the folder of tables


@contextmanager
def open_run(named: Sequence[str], out: Path | str, options: Options) -> Iterator[Run]:
    """Find the inputs behind `named`, open the model, and give the run that writes results into `out`."""
    if is_address(out):
        if options.table != "parquet":
            raise UsageError(f"{out}: takes Parquet alone; add --table parquet, or choose a folder on disk")
        if options.save:
            raise UsageError(
                f"{out}: takes no files per image ({', '.join(sorted(options.save))}); leave out --save, or choose a "
                "folder on disk"
            )
    with ExitStack() as stack:
        decoders = stack.enter_context(closing(DecoderPool(identifiers=options.identifiers)))
        if options.backend == "local":
            decoders.start()  # its process gets ready while the libraries below are imported, which takes as long
        from cxrnet.model.registry import open_bundle
        from cxrnet.model.session import check_provider

        check_provider(options.provider)
        bundle = open_bundle(options.bundle)
        columns = bundle.config.patient_columns if options.task == "screen" else ()
        look: dict[str, Any] = {
            "image_column": options.image_column,
            "exclude": None if is_address(out) else Path(out),
            "patient_columns": columns,
        }
        if options.backend == "ray" or options.table == "parquet":
            from cxrnet.screening.plan import Plan

            yield _partitioned(stack, bundle, Plan.of(named, **look), out, options, decoders)
            return
        inputs = find_inputs(named, **look)
        pipeline = _open_pipeline(bundle, decoders, options, len(inputs.items))
        from cxrnet.screening.batch import run_batch, table_name  # with all that writes results

        outcomes = stack.enter_context(closing(run_batch(pipeline, inputs.items, Path(out), options)))
        table = Path(out) / table_name(options)
        yield Run(total=len(inputs.items), notes=inputs.notes, outcomes=outcomes, table=table)


def _partitioned(
    stack: ExitStack, bundle: Bundle, plan: Plan, out: Path | str, options: Options, decoders: DecoderPool
) -> Run:
    """Return a run in partitions, on this machine or on a cluster."""
    from cxrnet.model.bundle import CHECKSUMS

    stack.callback(plan.close)
    with require("archive", "Parquet tables"):
        from cxrnet.screening.partitions import (
            Job,
            process_locally,
            process_on_worker,
            process_partition,
            run_partitions,
        )
    from cxrnet.screening.batch import batch_columns, batch_settings, table_name

    if (Path(options.bundle) / CHECKSUMS).is_file():  # a path, which wins over a name
        options = replace(options, bundle=str(Path(options.bundle).absolute()))
    job = Job(
        place=str(Store(out)),
        options=options,
        settings=batch_settings(bundle, options),
        columns=batch_columns(bundle, options),
        base=str(Path.cwd()),
    )
    if options.backend == "ray":
        from cxrnet.screening.ray_backend import distribute_on_ray

        work = partial(process_on_worker, job)
        distribute = partial(distribute_on_ray, work, workers=options.jobs)
    else:
        pipeline = _open_pipeline(bundle, decoders, options, len(plan))
        distribute = partial(process_locally, partial(process_partition, pipeline, job))
    outcomes = stack.enter_context(closing(run_partitions(plan, job, distribute)))
    table = f"{job.place}/{job.folder}" if options.table == "parquet" else Path(out) / table_name(options)
    return Run(total=len(plan), notes=plan.notes, outcomes=outcomes, table=table)


def _open_pipeline(bundle: Bundle, decoders: DecoderPool, options: Options, count: int) -> Pipeline:
    from cxrnet.screening.pipeline import Pipeline

    jobs = max(1, min(options.jobs or cpu_count(), count))
    pipeline = Pipeline(bundle, threads=max(1, cpu_count() // jobs), provider=options.provider, decoders=decoders)
    if options.task == "screen":
        pipeline.open_in_background()
    return pipeline
