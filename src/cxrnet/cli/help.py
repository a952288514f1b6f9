"""The printed help, whole at any width: by default it overflows below 52 columns, and summaries are cut."""

import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

_NARROW = 56
"""Columns below which a description stands under its option and not next to it."""

_LONGEST_SUMMARY = 1000


def _printed(command: TyperCommand | TyperGroup, context: Any) -> str:
    formatter = context.make_formatter()
    columns = shutil.get_terminal_size().columns
    if columns < _NARROW:
        formatter.width = max(columns - 2, 24)
        formatter.write_dl = partial(_stack, formatter)
    command.format_help(context, formatter)
    return str(formatter.getvalue()).rstrip("\n")


def _stack(formatter: Any, rows: Sequence[tuple[str, str]]) -> None:
    """Write each description under its term."""
    for term, description in rows:
        formatter.write_text(term)
        formatter.indent()
        formatter.indent()
        formatter.write_text(description)
        formatter.dedent()
        formatter.dedent()


class Command(TyperCommand):
    """A command with its help."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as printed."""
        return _printed(self, ctx)

    def get_short_help_str(self, limit: int = _LONGEST_SUMMARY) -> str:
        """Return the first sentence of the help, which a list of commands shows."""
        return super().get_short_help_str(max(limit, _LONGEST_SUMMARY))


class Group(TyperGroup):
    """Commands with their help."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as printed."""
        return _printed(self, ctx)

    def get_short_help_str(self, limit: int = _LONGEST_SUMMARY) -> str:
        """Return the first sentence of the help, which a list of commands shows."""
        return super().get_short_help_str(max(limit, _LONGEST_SUMMARY))
