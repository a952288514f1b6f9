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
def test_help_prints_every_word_of_its_source(cxrnet, names):
    printed = plain(cxrnet(*names, "--help").out)
    command = COMMANDS[names]
    assert plain(command.help or "") in printed
    for parameter in command.params:
        assert getattr(parameter, "hidden", False) or plain(getattr(parameter, "help", None) or "") in printed


@EVERY
def test_help_has_no_private_word(cxrnet, names):
    assert not list(find_words(cxrnet(*names, "--help").out))


def test_extras_keep_their_brackets(cxrnet):
    assert "cxrnet[train]" in cxrnet("evaluate", "--help").out


@pytest.mark.parametrize("columns", [40, 52, 60, 80])
@EVERY
def test_help_fits_the_terminal_and_nothing_is_cut(cxrnet, monkeypatch, names, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = cxrnet(*names, "--help").out
    _, *rest = printed.split("\n\n", 1)  # it begins with the name of the test program
    assert [line for line in "\n".join(rest).splitlines() if len(line.rstrip()) > columns] == []
    whole = plain(printed).replace("- ", "-")
    for name, inner in getattr(COMMANDS[names], "commands", {}).items():
        summary = plain(inner.help).partition(". ")[0].rstrip(".").replace("- ", "-")
        assert f"{name} {summary}." in whole
