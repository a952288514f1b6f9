"""`cxrnet evaluate audit`: whether a model's scores hold when images are stored or shown in another way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrnet.cli.data import print_warnings
from cxrnet.cli.options import BUNDLE, JOBS, MANIFEST, OUT, SEED, Selection, manifest_options, request_fields
from cxrnet.errors import require

if TYPE_CHECKING:
    from cxrnet.evaluation.audit.record import AuditRecord, Value


@manifest_options("image", "label", "group", "patient", "source", "view", "split")
def audit(
    manifest: Path = MANIFEST,
    out: Path = OUT,
    bundle: str = BUNDLE,
    limit: int | None = typer.Option(None, min=1, help="Maximum number of images, drawn evenly by source and class."),
    changes: str = typer.Option("all", metavar="SET", help="Set of changes: all, middle or reference."),
    parts: str = typer.Option(
        "stability,shortcuts,heat-maps", metavar="PART,...", help="Parts: stability, shortcuts, heat-maps."
    ),
    fold_column: str | None = typer.Option(
        None, metavar="NAME", help="Score each image by one fold only: column with the fold that was not trained on it."
    ),
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = typer.Option(1000, min=0, max=100_000, help="Bootstrap resamples; 0 gives no intervals."),
    *,
    selection: Selection,
) -> None:
    """Measure whether scores, lung masks and heat maps hold when images are acquired, stored or shown differently.

    Writes metrics.json, changes.csv, report.html and the plots to OUT.
    """
    from cxrnet.cli.progress import show_progress
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.pipeline import Pipeline

    with require("train", "evaluate"):
        from cxrnet.evaluation.audit.audit import TABLE, Audit, AuditRequest

    request = AuditRequest(
        **request_fields(manifest, selection, jobs, seed, resamples),
        limit=limit,
        parts=tuple(part.strip() for part in parts.split(",") if part.strip()),
        changes=changes,
        fold_column=fold_column,
    )
    with Pipeline.load(bundle, threads=max(1, cpu_count() // request.jobs)) as pipeline:
        run = Audit(pipeline, request, out)
        code = show_progress(run.run(), total=len(run.samples), table=out / TABLE)
    assert run.record is not None
    _say(run.record, out)
    raise typer.Exit(code)


def _say(record: AuditRecord, out: Path) -> None:
    """Print the warnings about the manifest, then what was found, a change or an alteration a line."""
    print_warnings(record.manifest.warnings)
    lines: dict[str, Mapping[str, Value]] = {}
    if record.stability is not None:
        lines |= {change.name: change.effects for change in record.stability.changes}
        lines |= {f"mean of {name}": effects for name, effects in record.stability.means.items()}
    if record.shortcuts is not None:
        lines |= {
            name: {f"AUC {part or 'all'}": auc for part, auc in each.items()}
            for name, each in record.shortcuts.auc.items()
        }
    if record.heat_maps is not None:
        lines |= {"randomised up to": record.heat_maps.randomisation, "curves": record.heat_maps.areas}
    for name, values in lines.items():
        parts = [f"{value} {each.value:.3f}" for value, each in values.items() if each.value is not None]
        typer.echo(f"{name:<24} {', '.join(parts)}")
    typer.echo(f"report: {out / 'report.html'}")
