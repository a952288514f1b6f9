"""The printed help, whole at any width: by default it overflows below 52 columns, and summaries are cut."""

import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup

_NARROW = 56
"""Columns below which a description stands under its option and not next to it."""

_MAX_SUMMARY = 1000
"""Characters of a summary in a list of commands."""


class _WholeHelp:
    """Prints the help of a command or group whole; comes before the class of typer."""

    def get_help(self, ctx: Any) -> str:
        """Return the help as printed."""
        formatter = ctx.make_formatter()
        columns = shutil.get_terminal_size().columns
        if columns < _NARROW:
            formatter.width = max(columns - 2, 24)
            formatter.write_dl = partial(_stack, formatter)
        self.format_help(ctx, formatter)  # type: ignore[attr-defined]
        return str(formatter.getvalue()).rstrip("\n")

    def get_short_help_str(self, limit: int = _MAX_SUMMARY) -> str:
        """Return the first sentence of the help, which a list of commands shows."""
        return str(super().get_short_help_str(max(limit, _MAX_SUMMARY)))  # type: ignore[misc]


class Command(_WholeHelp, TyperCommand):
    """A command with its help."""


class Group(_WholeHelp, TyperGroup):
    """Commands with their help."""


def _stack(formatter: Any, rows: Sequence[tuple[str, str]]) -> None:
    """Write each description under its term."""
    for term, description in rows:
        formatter.write_text(term)
        formatter.indent()
        formatter.indent()
        formatter.write_text(description)
        formatter.dedent()
        formatter.dedent()
