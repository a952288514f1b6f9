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
