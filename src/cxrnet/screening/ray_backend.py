"""Many images on several machines, through Ray Data: the same function on each, results in shards.

The inputs are dealt, in their order, to shards of a fixed size. A shard is a small run of its own, in
`out/shards/00017`, with a journal of its own: `resume` works as on one machine, whichever worker takes the shard next.
The workers must see the inputs and `out` under the same paths, as on a shared file system. `out/findings.csv` has
the rows of all shards, and their folders as seen from `out`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrnet.atomic import write_atomic
from cxrnet.errors import CxrNetError, MissingExtraError, OutputError
from cxrnet.screening.batch import FINDINGS, Further, Outcome, screen_archive
from cxrnet.screening.csv_output import Row, finding_columns, table_lines, with_identifiers
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.pipeline import Pipeline

SHARD = 20
"""Images in a shard: some seconds of work, so that starting one costs nothing and a lost one little."""

SHARDS = "shards"
"""Folder, in that of the results, of the shards."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every worker is told: arguments of `Pipeline.load` and `screen_archive`; `out` is the folder of all."""

    bundle: str
    out: Path
    save: Collection[str]
    mend: bool = False
    resume: bool = False
    identifiers: bool = False
    provider: str = "cpu"
    further: Further | None = None


class Worker:
    """Screens shards, one after the other, with one pipeline; an actor of Ray, or used as it is."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.pipeline = Pipeline.load(order.bundle, threads=1, identifiers=order.identifiers, provider=order.provider)

    def __call__(self, shard: Mapping[str, Any]) -> dict[str, Any]:
        """Screen one shard.

        Args:
            shard: `name` of its folder, and `items`, pairs of path and folder.

        Returns:
            `name`, `outcomes`, and `error`, the line of what stopped it, which would stop the others as well.
        """
        order, name = self.order, str(shard["name"])
        items = [Input(path=Path(path), folder=folder) for path, folder in shard["items"]]
        outcomes = screen_archive(
            self.pipeline,
            items,
            order.out / SHARDS / name,
            save=order.save,
            jobs=1,
            mend=order.mend,
            resume=order.resume,
            further=order.further,
        )
        try:
            return {"name": name, "outcomes": [_told(outcome, name) for outcome in outcomes], "error": ""}
        except CxrNetError as error:  # Ray would wrap it in its own traceback
            return {"name": name, "outcomes": [], "error": str(error)}

    def close(self) -> None:
        """End the reader."""
        self.pipeline.close()


def screen_cluster(order: Order, items: Sequence[Input], *, workers: int) -> Generator[Outcome]:
    """Screen `items` on a Ray cluster, and yield each outcome in their order.

    The cluster is the one that `ray.init` finds: the one of this machine, a running one where RAY_ADDRESS names it.

    Args:
        order: What is to be done.
        items: The inputs.
        workers: Most processes at once; each takes one core.

    Raises:
        MissingExtraError: Ray is not installed.
        OutputError: A shard could not be written; what was done stays.
    """
    data = _ray_data()
    shards = list(deal(items, SHARD))
    rows: list[Row] = []
    found = data.from_items([{"name": name, "items": [_pair(item) for item in part]} for name, part in shards])
    found = found.repartition(len(shards)).map(
        Worker, fn_constructor_args=(order,), concurrency=(1, max(1, min(workers, len(shards)))), num_cpus=1
    )
    by_name = dict(shards)
    try:
        for done in found.iter_rows():
            if done["error"]:
                raise OutputError(done["error"])
            for item, outcome in zip(by_name[done["name"]], map(_outcome_fields, done["outcomes"]), strict=True):
                rows.append(dict(outcome["row"]))
                yield Outcome(item=item, **outcome)
    finally:
        write_atomic(order.out / FINDINGS, table_lines(rows, _columns(order)))


def deal(items: Sequence[Input], size: int) -> Iterator[tuple[str, Sequence[Input]]]:
    """Yield the shards of `items`, in their order, as (name, inputs)."""
    for number, start in enumerate(range(0, len(items), size)):
        yield f"{number:05d}", items[start : start + size]


def _pair(item: Input) -> list[str]:
    return [str(Path(item.path).absolute()), item.folder]


def _columns(order: Order) -> tuple[str, ...]:
    from cxrnet.model.registry import open_bundle

    classifier = open_bundle(order.bundle).config.classifier
    columns = finding_columns(classifier.classes if classifier else ())
    return tuple(with_identifiers(columns) if order.identifiers else columns)


def _told(outcome: Outcome, name: str) -> dict[str, Any]:
    """Return an outcome as plain text and lists, with its folder as seen from that of all results."""
    row = {key: str(value) for key, value in outcome.row.items()}
    row["folder"] = f"{SHARDS}/{name}/{row['folder']}"
    return {
        "status": outcome.status,
        "row": [list(pair) for pair in row.items()],
        "reasons": [list(reason) for reason in outcome.reasons],
        "warnings": list(outcome.warnings),
        "missing": [list(reason) for reason in outcome.missing],
        "is_recalled": outcome.is_recalled,
    }


def _outcome_fields(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the outcome that `_told` told of, all but its item."""
    return {
        "status": told["status"],
        "row": dict(told["row"]),
        "reasons": tuple(Reason(code, text) for code, text in told["reasons"]),
        "warnings": tuple(told["warnings"]),
        "missing": tuple(Reason(code, text) for code, text in told["missing"]),
        "is_recalled": bool(told["is_recalled"]),
    }


def _ray_data() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--engine ray: Ray is not installed; pip install 'cxrnet[ray]'") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its progress; ours is the outcomes
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    return ray.data
