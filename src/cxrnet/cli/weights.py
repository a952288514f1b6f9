"""`cxrnet weights`: the model bundles on this machine, their cards, and conversion of published weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from cxrnet.errors import BundleError, UsageError, require

if TYPE_CHECKING:
    from cxrnet.model.bundle import Bundle
    from cxrnet.model.facts import EvaluationFacts, Facts, Role

app = typer.Typer(help="Model bundles: list, show, import published weights, export again.", no_args_is_help=True)

NAMED = "[NAME=]DIR"


@app.command("import")
def import_(
    sources: list[Path] = typer.Argument(..., metavar="SRC...", help="Keras .h5 files, or folders of them."),
    out: Path | None = typer.Option(None, help="Folder for the bundles (default: the folder of named bundles)."),
    overwrite: bool = typer.Option(False, help="Replace existing bundles."),
) -> None:
    """Convert the published Keras weights into the bundles published-v7 and published-jms. Needs cxrnet[train]."""
    from cxrnet.model.registry import bundles_folder

    with require("train", "weights import"):
        from cxrnet.export.published import import_published
    typer.echo("importing; the export of a graph takes half a minute", err=True)
    for bundle in import_published(sources, out or bundles_folder(), overwrite=overwrite):
        typer.echo(f"{bundle.label}: {bundle.folder}")


@app.command()
def export(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Model bundle: a name or a path."),
    out: Path = typer.Option(..., help="New folder."),
    kind: Literal["bundle", "onnx", "torchscript", "hub", "monai-bundle"] = typer.Option(
        "bundle", "--format", help="What to write."
    ),
    overwrite: bool = typer.Option(False, help="Replace an existing bundle (format bundle only)."),
) -> None:
    """Export a bundle for other programs, or again with this version. Needs cxrnet[train].

    With --format bundle the graphs are exported again from the weights: scores stay the same within rounding, the
    sha256 that names the model changes. onnx: graphs and config. torchscript: traced modules. hub: a folder for a
    model hub, nothing is uploaded. monai-bundle: the segmenter, run by `python -m monai.bundle run`.
    """
    from cxrnet.model.registry import open_bundle

    with require("train", "weights export"):
        from cxrnet.export.bundle import re_export
        from cxrnet.export.formats import export_bundle
    if kind != "bundle":
        typer.echo(f"{name}: {export_bundle(open_bundle(name), out, kind)}")
        return
    written = re_export(open_bundle(name), out, overwrite=overwrite)
    typer.echo(f"{written.label}: {written.folder}")


@app.command("list")
def list_() -> None:
    """List the named bundles and where each comes from."""
    from cxrnet.model.bundle import read_bundle
    from cxrnet.model.registry import bundle_folders, bundles_folder, hidden_folders, is_shipped

    folders, hidden = bundle_folders(), hidden_folders()
    if not folders:
        typer.echo(f"no bundles in {bundles_folder()}; import some with `cxrnet weights import`")
    for name, folder in folders.items():
        origin = "shipped with cxrnet" if is_shipped(folder) else str(folder.parent)
        origin += ", overrides the one shipped with cxrnet" if name in hidden else ""
        try:
            bundle = read_bundle(folder)
        except BundleError as error:
            typer.echo(f"{name}  damaged: {error}  [{origin}]")
        else:
            typer.echo(f"{name}  {bundle.label}  {bundle.config.description}  [{origin}]")


@app.command()
def show(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Model bundle: a name or a path."),
    as_json: bool = typer.Option(False, "--json", help="Print the config instead of the card."),
) -> None:
    """Print the model card of a bundle."""
    from cxrnet.model.registry import open_bundle

    bundle = open_bundle(name)
    if as_json:
        typer.echo(bundle.config.model_dump_json(indent=2))
        return
    typer.echo(f"{bundle.label}\n{bundle.folder}\nsha256 {bundle.sha256}\n\n{bundle.card}")


@app.command()
def card(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Model bundle: a name or a path."),
    evaluation: list[str] = typer.Option([], metavar=NAMED, help="Evaluation of this model or its folds (repeatable)."),
    control: list[str] = typer.Option([], metavar=NAMED, help="Evaluation of a control training (repeatable)."),
    compare: list[str] = typer.Option([], metavar=NAMED, help="Evaluation of another model (repeatable)."),
    audit: Path | None = typer.Option(None, metavar="DIR", help="Folder of `cxrnet evaluate audit` of this model."),
    notes: Path | None = typer.Option(None, help="Markdown file for the end of the card."),
    compare_old: list[str] = typer.Option([], "--rival", hidden=True),
) -> None:
    """Regenerate a bundle's model card from evaluation results. Needs cxrnet[train].

    Evaluations of a kind replace those of the same kind in the bundle; without options the card is only written
    again. The model and its sha256 stay the same.
    """
    from cxrnet.evaluation.card_input import read_audit
    from cxrnet.model.bundle import write_facts
    from cxrnet.model.facts import Facts
    from cxrnet.model.registry import open_bundle

    bundle = open_bundle(name)
    facts = bundle.facts or Facts(notes=bundle.card)
    given: dict[Role, list[str]] = {"own": evaluation, "control": control, "comparison": compare + compare_old}
    evaluations = [one for role, words in given.items() for one in _evaluations(bundle, facts, role, words)]
    _refuse_equal_names(evaluations)
    updated = facts.model_copy(
        update={
            "evaluations": tuple(evaluations),
            "audit": facts.audit if audit is None else read_audit(audit, bundle=bundle),
            "notes": facts.notes if notes is None else _read_notes(notes),
        }
    )
    written = write_facts(bundle, updated)
    typer.echo(f"{written.label}: {written.folder / 'card.md'}, {len(evaluations)} evaluations")


def _evaluations(bundle: Bundle, facts: Facts, role: Role, words: list[str]) -> list[EvaluationFacts]:
    from cxrnet.evaluation.card_input import read_evaluation

    found = []
    for word in words:
        label, equals, folder = word.partition("=")
        place = Path(folder if equals else word)
        found.append(read_evaluation(place, name=label if equals else place.resolve().name, role=role, bundle=bundle))
    return found or list(facts.of_role(role))


def _refuse_equal_names(evaluations: list[EvaluationFacts]) -> None:
    names = [evaluation.name for evaluation in evaluations]
    for label in names:
        if not label or names.count(label) > 1:
            raise UsageError(
                f"card: {names.count(label)} evaluations have the name {label!r}; rename one, as in --compare NAME=DIR"
            )


def _read_notes(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot be read as text ({type(error).__name__}); give a Markdown file in UTF-8"
        ) from error
