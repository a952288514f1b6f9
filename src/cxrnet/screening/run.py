"""One call from what the user named to a running batch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxrnet.imaging.decoder_pool import DecoderPool
from cxrnet.parallel import cpu_count
from cxrnet.screening.inputs import Inputs, find_inputs
from cxrnet.screening.options import Options

if TYPE_CHECKING:
    from cxrnet.screening.batch import Outcome


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is ready.

    Attributes:
        inputs: What was found.
        outcomes: One per input, in their order; iterating over them does the work.
        table: Path of the table that is written.
    """

    inputs: Inputs
    outcomes: Generator[Outcome]
    table: Path


@contextmanager
def open_run(named: Sequence[str], out: Path, options: Options) -> Iterator[Run]:
    """Find the inputs behind `named`, open the model, and give the run that writes results into `out`.

    Raises:
        UsageError: An input, a provider or an option cannot be used.
        BundleError: There is no such bundle, or it is damaged.
        MissingExtraError: Ray is asked for and not installed.
    """
    with ExitStack() as stack:
        decoders = stack.enter_context(closing(DecoderPool(identifiers=options.identifiers)))
        if options.backend == "local":
            decoders.start()  # its process gets ready while the libraries below are imported, which takes as long
        from cxrnet.model.registry import open_bundle
        from cxrnet.model.session import check_provider

        check_provider(options.provider)
        bundle = open_bundle(options.bundle)
        inputs = find_inputs(
            named,
            image_column=options.image_column,
            exclude=out,
            patient_columns=bundle.config.patient_columns if options.task == "screen" else (),
        )
        if options.backend == "ray":
            from cxrnet.screening.batch import table_name
            from cxrnet.screening.ray_backend import run_on_ray

            outcomes = run_on_ray(inputs.items, out, options)
        else:
            from cxrnet.screening.pipeline import Pipeline

            jobs = min(options.jobs or cpu_count(), len(inputs.items))
            threads = max(1, cpu_count() // jobs)
            pipeline = Pipeline(bundle, threads=threads, provider=options.provider, decoders=decoders)
            if options.task == "screen":
                pipeline.open_in_background()
            from cxrnet.screening.batch import run_batch, table_name  # with all that writes results

            outcomes = run_batch(pipeline, inputs.items, out, options)
        stack.enter_context(closing(outcomes))
        yield Run(inputs=inputs, outcomes=outcomes, table=out / table_name(options))
