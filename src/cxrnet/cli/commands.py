"""All commands as one `typer` program."""

from __future__ import annotations

import typer

from cxrnet.cli import (
    bench,
    data,
    evaluate,
    export_web,
    inspect,
    pacs,
    reproduce,
    scp,
    screen,
    segment,
    serve,
    train,
    weights,
)

HELP = "Lung masks, class scores and heat maps from chest radiographs. Research use only: not a medical device."

app = typer.Typer(
    name="cxrnet",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich would read the brackets of "cxrnet[train]" as markup and drop them
    pretty_exceptions_enable=False,
)
app.command("screen")(screen.screen)
app.command("segment")(segment.segment)
app.command("inspect")(inspect.inspect)
app.command("bench")(bench.bench)
app.command("scp")(scp.scp)
app.command("serve")(serve.serve)
app.command("export-web")(export_web.export_web)
app.add_typer(pacs.app, name="pacs")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(weights.app, name="weights")
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.command("ensemble")(train.ensemble)
app.add_typer(reproduce.app, name="reproduce")


@app.callback(invoke_without_command=True, help=HELP)
def root(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    """Print the version if asked to."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("cxrnet"))
        raise typer.Exit
