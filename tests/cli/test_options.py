"""Options shared by commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cxrnet.cli import main
from cxrnet.cli.options import COLUMNS, Selection, manifest_options
from cxrnet.data.manifest import Columns
from cxrnet.errors import UsageError
from tests.data.conftest import write_rows

FOUND: list[Selection] = []


def make_app():
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @manifest_options("image", "label")
    def show(manifest: Path, seed: int = 0, *, selection: Selection):
        """Read it."""
        FOUND.append(selection)
        typer.echo(f"{len(selection.read(manifest).samples)} rows, seed {seed}")

    return app


@pytest.fixture
def manifest(tmp_path):
    write_rows(tmp_path / "m.csv", [{"file": "a.png", "split": "train"}, {"file": "b.png", "split": "val"}])
    return tmp_path / "m.csv"


def test_columns_are_those_of_a_manifest_with_their_default_names():
    assert {field: default for field, (default, _) in COLUMNS.items()} == vars(Columns())


def test_selection_renames_columns_and_chooses_rows(manifest):
    done = CliRunner().invoke(
        make_app(), [str(manifest), "--seed", "3", "--image-column", "file", "--where", "split=val"]
    )
    assert done.output == "1 rows, seed 3\n"
    assert FOUND[-1].names == {"image": "file", "label": "label"}


def test_help_lists_only_the_columns_asked_for():
    text = CliRunner().invoke(make_app(), ["--help"]).output
    assert "--image-column" in text
    assert "--mask-column" not in text
    assert "--where COLUMN=VALUE" in text


def test_condition_without_a_value_is_refused(manifest):
    with pytest.raises(UsageError, match="--where split"):
        Selection(names={}, conditions=("split",)).read(manifest)


@pytest.mark.parametrize(
    "arguments", [["a.png", "--out", ""], ["a.png", "--out="], ["", "--out", "o"], ["a.png", "-o", ""]]
)
def test_an_empty_path_is_refused_and_does_not_stand_for_the_current_folder(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["cxrnet", "screen", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "is empty; give a path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "a\nb"), "ERROR 'a\\nb': Permission denied; it must be accessible\n"),
        (OSError(5, "Input/output error", "disk"), "ERROR 'disk': Input/output error; it must be accessible\n"),
    ],
)
def test_file_that_the_system_refuses_is_one_line_wherever_it_comes_up(cxrnet, monkeypatch, error, line):
    def refuse(_):
        raise error

    monkeypatch.setattr("cxrnet.cli._prepare", refuse)
    ended = cxrnet("weights", "list")
    assert (ended.code, ended.err) == (2, line)


def test_other_errors_keep_their_traceback(cxrnet, monkeypatch):
    def fall(_):
        raise FileNotFoundError(2, "No such file", "own file")

    monkeypatch.setattr("cxrnet.cli._prepare", fall)
    with pytest.raises(FileNotFoundError):
        cxrnet("weights", "list")
