"""The commands as one `typer` program; the one that runs is imported alone: all take longer than Python's start."""

from importlib import import_module
from typing import Final

import typer

from cxrnet.cli.help import Command, Group

HELP = "Lung masks, class scores and heat maps from chest radiographs. Research use only: not a medical device."

COMMANDS: Final = {
    "screen": "screen.screen",
    "segment": "segment.segment",
    "inspect": "inspect.inspect",
    "bench": "bench.bench",
    "scp": "scp.scp",
    "serve": "serve.serve",
    "export-web": "export_web.export_web",
    "ensemble": "train.ensemble",
}
"""Name -> module and function, in the order of `--help`."""

GROUPS: Final = ("pacs", "evaluate", "weights", "data", "train", "reproduce")
"""Modules with commands of their own."""


def build_app(name: str | None = None) -> typer.Typer:
    """Return the program with the command or group of this name alone; with all of them if there is no such name."""
    app = typer.Typer(
        name="cxrnet",
        cls=Group,
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # rich would read the brackets of "cxrnet[train]" as markup and drop them
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True, help=HELP)(root)
    is_known = name in COMMANDS or name in GROUPS
    for command, place in COMMANDS.items():
        if not is_known or command == name:
            module, function = place.split(".")
            app.command(command, cls=Command)(getattr(import_module(f"cxrnet.cli.{module}"), function))
    for group in GROUPS:
        if not is_known or group == name:
            inner = import_module(f"cxrnet.cli.{group}").app
            for registered in inner.registered_commands:
                registered.cls = Command
            app.add_typer(inner, name=group, cls=Group)
    return app


def root(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    """Print the version if asked to."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("cxrnet"))
        raise typer.Exit
