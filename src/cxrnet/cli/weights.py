"""`cxrnet weights`: bundles on this machine, and published weights made into bundles."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(help="Bundles on this machine; published weights made into bundles.", no_args_is_help=True)


@app.command("import")
def import_(
    sources: list[Path] = typer.Argument(..., metavar="SRC...", help="Keras .h5 files, or folders of them."),
    out: Path | None = typer.Option(None, help="Folder for the bundles; default: where named bundles live."),
    overwrite: bool = typer.Option(False, help="Replace bundles that are there."),
) -> None:
    """Turn the published Keras weights into the bundles published-v7 and published-jms. Needs cxrnet[train]."""
    from cxrnet.bundle.catalogue import bundles_folder
    from cxrnet.cli.extras import needs_training

    with needs_training("weights import"):
        from cxrnet.nn.published import import_published
    typer.echo("importing; the export of a graph takes half a minute", err=True)
    for bundle in import_published(sources, out or bundles_folder(), overwrite=overwrite):
        typer.echo(f"{bundle.label}: {bundle.folder}")


@app.command("list")
def list_() -> None:
    """Print the named bundles."""
    from cxrnet.bundle.catalogue import bundle_folders, bundles_folder
    from cxrnet.bundle.folder import read_bundle
    from cxrnet.errors import BundleError

    folders = bundle_folders()
    if not folders:
        typer.echo(f"no bundles in {bundles_folder()}; `cxrnet weights import` makes some")
    for name, folder in folders.items():
        try:
            bundle = read_bundle(folder)
        except BundleError as error:
            typer.echo(f"{name}  damaged: {error}")
        else:
            typer.echo(f"{name}  {bundle.label}  {bundle.config.description}")


@app.command()
def show(
    name: str = typer.Argument(..., metavar="NAME|PATH", help="Name of a bundle, or its folder."),
    as_json: bool = typer.Option(False, "--json", help="Print the config instead of the card."),
) -> None:
    """Print the card of a bundle: what it was made from, what it can and cannot do."""
    from cxrnet.bundle.catalogue import open_bundle

    bundle = open_bundle(name)
    if as_json:
        typer.echo(bundle.config.model_dump_json(indent=2))
        return
    typer.echo(f"{bundle.label}\n{bundle.folder}\nsha256 {bundle.sha256}\n\n{bundle.card}")
