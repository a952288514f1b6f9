"""The printed help of every command: nothing is lost from it, and it is plain English."""

import re
import runpy
from pathlib import Path

import pytest
import typer

from cxrnet.cli import app

find_words = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "words.py"))["find_words"]


def commands(command, names=()):
    yield names, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*names, name))


COMMANDS = dict(commands(typer.main.get_command(app)))
EVERY = pytest.mark.parametrize("names", COMMANDS, ids=lambda names: " ".join(names) or "cxrnet")


def plain(text):
    return re.sub(r"\s+", " ", text)


@EVERY
def test_help_prints_every_word_of_its_source_and_none_that_is_private(cxrnet, names):
    said, command = cxrnet(*names, "--help").out, COMMANDS[names]
    printed = plain(said)
    assert not list(find_words(said))
    assert plain(command.help or "") in printed
    for parameter in command.params:
        assert getattr(parameter, "hidden", False) or plain(getattr(parameter, "help", None) or "") in printed


def test_extras_keep_their_brackets(cxrnet):
    assert "cxrnet[train]" in cxrnet("evaluate", "--help").out


@EVERY
def test_help_fits_the_terminal_and_nothing_is_cut(cxrnet, monkeypatch, names):
    for columns in (40, 52, 60, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        printed = cxrnet(*names, "--help").out
        _, *rest = printed.split("\n\n", 1)  # it begins with the name of the test program
        assert [line for line in "\n".join(rest).splitlines() if len(line.rstrip()) > columns] == []
        whole = plain(printed).replace("- ", "-")
        for name, inner in getattr(COMMANDS[names], "commands", {}).items():
            summary = plain(inner.help).partition(". ")[0].rstrip(".").replace("- ", "-")
            assert f"{name} {summary}." in whole
