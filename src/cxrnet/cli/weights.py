"""`cxrnet weights`: bundles on this machine, their cards, and published weights made into bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cxrnet.model.bundle import Bundle
    from cxrnet.model.facts import EvaluationFacts, Facts, Role

app = typer.Typer(
    help="Bundles on this machine, their cards; published weights made into bundles.", no_args_is_help=True
)

NAMED = "[NAME=]DIR"


@app.command("import")
def import_(
    sources: list[Path] = typer.Argument(..., metavar="SRC...", help="Keras .h5 files, or folders of them."),
    out: Path | None = typer.Option(None, help="Folder for the bundles; default: where named bundles live."),
    overwrite: bool = typer.Option(False, help="Replace bundles that are there."),
) -> None:
    """Turn the published Keras weights into the bundles published-v7 and published-jms. Needs cxrnet[train]."""
    from cxrnet.errors import require
    from cxrnet.model.registry import bundles_folder

    with require("train", "weights import"):
        from cxrnet.export.published import import_published
    typer.echo("importing; the export of a graph takes half a minute", err=True)
    for bundle in import_published(sources, out or bundles_folder(), overwrite=overwrite):
        typer.echo(f"{bundle.label}: {bundle.folder}")


@app.command()
def export(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Name of a bundle, or its folder."),
    out: Path = typer.Option(..., help="Folder of the new bundle; that of the old one with --overwrite."),
    overwrite: bool = typer.Option(False, help="Replace a bundle that is there."),
) -> None:
    """Export the graphs of a bundle anew from its weights, as this version makes them. Needs cxrnet[train].

    Scores stay the same within rounding; the sha256 that names the model changes.
    """
    from cxrnet.errors import require
    from cxrnet.model.registry import open_bundle

    with require("train", "weights export"):
        from cxrnet.export.bundle import re_export
    written = re_export(open_bundle(name), out, overwrite=overwrite)
    typer.echo(f"{written.label}: {written.folder}")


@app.command("list")
def list_() -> None:
    """Print the named bundles, and where each comes from."""
    from cxrnet.errors import BundleError
    from cxrnet.model.bundle import read_bundle
    from cxrnet.model.registry import bundle_folders, bundles_folder, hidden_folders, is_shipped

    folders, hidden = bundle_folders(), hidden_folders()
    if not folders:
        typer.echo(f"no bundles in {bundles_folder()}; `cxrnet weights import` makes some")
    for name, folder in folders.items():
        origin = "shipped with cxrnet" if is_shipped(folder) else str(folder.parent)
        origin += ", hides the one shipped with cxrnet" if name in hidden else ""
        try:
            bundle = read_bundle(folder)
        except BundleError as error:
            typer.echo(f"{name}  damaged: {error}  [{origin}]")
        else:
            typer.echo(f"{name}  {bundle.label}  {bundle.config.description}  [{origin}]")


@app.command()
def show(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Name of a bundle, or its folder."),
    as_json: bool = typer.Option(False, "--json", help="Print the config instead of the card."),
) -> None:
    """Print the card of a bundle: what it was made from, what it can and cannot do."""
    from cxrnet.model.registry import open_bundle

    bundle = open_bundle(name)
    if as_json:
        typer.echo(bundle.config.model_dump_json(indent=2))
        return
    typer.echo(f"{bundle.label}\n{bundle.folder}\nsha256 {bundle.sha256}\n\n{bundle.card}")


@app.command()
def card(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Name of a bundle, or its folder."),
    evaluation: list[str] = typer.Option([], metavar=NAMED, help="Of this model, or of its folds; repeat it."),
    control: list[str] = typer.Option([], metavar=NAMED, help="Of a training that bears on it; repeat it."),
    rival: list[str] = typer.Option([], metavar=NAMED, help="Of another model; repeat it."),
    notes: Path | None = typer.Option(None, help="Markdown that ends the card."),
) -> None:
    """Write the card of a bundle anew from what `cxrnet evaluate` measured.

    What is given of a kind replaces what the bundle held of that kind; with no option the card is only written
    anew. The model and its sha256 stay as they are.
    """
    from cxrnet.model.bundle import write_facts
    from cxrnet.model.facts import Facts
    from cxrnet.model.registry import open_bundle

    bundle = open_bundle(name)
    facts = bundle.facts or Facts(notes=bundle.stored_card)
    given: dict[Role, list[str]] = {"own": evaluation, "control": control, "rival": rival}
    evaluations = [one for role, words in given.items() for one in _evaluations(bundle, facts, role, words)]
    _refuse_equal_names(evaluations)
    told = facts.model_copy(
        update={"evaluations": tuple(evaluations), "notes": facts.notes if notes is None else _read_notes(notes)}
    )
    written = write_facts(bundle, told)
    typer.echo(f"{written.label}: {written.folder / 'card.md'}, {len(evaluations)} evaluations")


def _evaluations(bundle: Bundle, facts: Facts, role: Role, words: list[str]) -> list[EvaluationFacts]:
    from cxrnet.evaluation.card_input import read_evidence

    found = []
    for word in words:
        label, equals, folder = word.partition("=")
        place = Path(folder if equals else word)
        found.append(read_evidence(place, name=label if equals else place.resolve().name, role=role, bundle=bundle))
    return found or list(facts.of_role(role))


def _refuse_equal_names(evaluations: list[EvaluationFacts]) -> None:
    from cxrnet.errors import UsageError

    names = [evaluation.name for evaluation in evaluations]
    for label in names:
        if not label or names.count(label) > 1:
            raise UsageError(
                f"card: {names.count(label)} evaluations are called {label!r}; give each a name, as in --rival NAME=DIR"
            )


def _read_notes(path: Path) -> str:
    from cxrnet.errors import UsageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as text ({type(error).__name__}); give a Markdown file in UTF-8"
        raise UsageError(msg) from error
