"""Many images on several machines, through Ray Data: the same batch on each, results in shards.

The inputs are split, in their order, into shards of a fixed size. A shard is a small run of its own in
`out/shards/00017`, with its own progress log, so that `resume` works as on one machine, whichever worker takes the
shard next. The workers must see the inputs and `out` under the same paths, as on a shared file system.
`out/findings.csv` has the rows of all shards, with their folders as seen from `out`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cxrnet.atomic import write_atomic
from cxrnet.errors import CxrNetError, MissingExtraError, OutputError
from cxrnet.model.registry import open_bundle
from cxrnet.parallel import cpu_count
from cxrnet.screening.batch import Outcome, batch_columns, run_batch, table_name
from cxrnet.screening.csv_output import table_lines
from cxrnet.screening.inputs import Input
from cxrnet.screening.options import Options
from cxrnet.screening.pipeline import Pipeline

SHARD_SIZE = 20
"""Images per shard: some seconds of work, so that starting one costs nothing and a lost one little."""

SHARDS = "shards"
"""Folder of the shards, in that of the results."""


class Worker:
    """Screens shards, one after the other, with one pipeline; an actor of Ray.

    Args:
        out: Folder of all results.
        options: Of the run; `bundle` is a path that this machine sees.
    """

    def __init__(self, out: Path, options: Options) -> None:
        self.out, self.options = out, replace(options, jobs=1)
        self.pipeline = Pipeline.load(
            options.bundle, threads=1, identifiers=options.identifiers, provider=options.provider
        )

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        """Return the `outcomes` of a shard as JSON, or the `error` that would stop the others as well.

        Args:
            shard: `name` of its folder, and `items`: path, folder, and patient data as JSON.
        """
        items = [
            Input(path=Path(path), folder=folder, patient=json.loads(patient))
            for path, folder, patient in shard["items"]
        ]
        outcomes = run_batch(self.pipeline, items, self.out / SHARDS / shard["name"], self.options)
        try:
            return {"outcomes": [outcome.model_dump_json() for outcome in outcomes], "error": ""}
        except CxrNetError as error:  # Ray would wrap it in its own traceback
            return {"outcomes": [], "error": str(error)}


def run_on_ray(items: Sequence[Input], out: Path, options: Options) -> Generator[Outcome]:
    """Screen `items` on a Ray cluster, and yield each outcome in their order.

    The cluster is the one that `ray.init` finds: this machine, or a running one where RAY_ADDRESS names it.
    `options.jobs` is the largest number of worker processes, one core each.

    Raises:
        MissingExtraError: Ray is not installed.
        OutputError: A shard could not be written; what was done stays.
    """
    data = _ray_data()
    bundle = open_bundle(options.bundle)
    out, options = out.absolute(), replace(options, bundle=str(bundle.folder.absolute()))
    shards = [items[start : start + SHARD_SIZE] for start in range(0, len(items), SHARD_SIZE)]
    orders = [
        {"name": f"{number:05d}", "items": [_order(item) for item in shard]} for number, shard in enumerate(shards)
    ]
    workers = max(1, min(options.jobs or cpu_count(), len(shards)))
    results = (
        data.from_items(orders)
        .repartition(len(shards))
        .map(Worker, fn_constructor_args=(out, options), concurrency=(1, workers), num_cpus=1)
    )
    rows: list[dict[str, str]] = []
    try:
        for order, shard, result in zip(orders, shards, results.iter_rows(), strict=True):
            if result["error"]:
                raise OutputError(result["error"])
            for item, text in zip(shard, result["outcomes"], strict=True):
                outcome = Outcome.from_json(item, text)
                rows.append(outcome.row | {"folder": f"{SHARDS}/{order['name']}/{item.folder}"})
                yield outcome.model_copy(update={"row": rows[-1]})
    finally:
        columns = batch_columns(bundle, options.task, identifiers=options.identifiers)
        write_atomic(out / table_name(options), table_lines(rows, columns))


def _order(item: Input) -> list[str]:
    return [str(item.path.absolute()), item.folder, json.dumps(dict(item.patient))]


def _ray_data() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--backend ray: Ray is not installed; pip install 'cxrnet[ray]'") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its progress; ours is the outcomes
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    return ray.data
