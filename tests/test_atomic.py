import os
from pathlib import Path

import pytest

from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.errors import OutputError


@pytest.fixture
def path(tmp_path):
    """A file that holds `old`."""
    (tmp_path / "finding.json").write_bytes(b"old")
    return tmp_path / "finding.json"


def _full(*_args):
    raise OSError(28, "No space left on device")


def _interrupt(*_args):
    raise KeyboardInterrupt


def _names(path):
    return [other.name for other in path.parent.iterdir()]


@pytest.mark.parametrize("content", [b"", b"new", bytes(1_000_000)])
def test_file_holds_what_was_written(path, content):
    write_atomic(path, content)
    assert path.read_bytes() == content
    assert _names(path) == ["finding.json"]


def test_folders_above_are_made(tmp_path):
    write_atomic(tmp_path / "a" / "b" / "file", b"new")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_content_is_on_the_disk_before_it_takes_the_place_of_the_old(path, monkeypatch):
    events, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (events.append("synced"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (events.append("replaced"), replace(*paths)))
    write_atomic(path, b"new")
    assert events == ["synced", "replaced"]


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_old_file_stands_when_the_disk_is_full(path, monkeypatch, owner, name):
    monkeypatch.setattr(owner, name, _full)
    with pytest.raises(OutputError, match=r"finding\.json: cannot be written \(No space left on device\); free"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert _names(path) == ["finding.json"]


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_old_file_stands_when_the_write_is_interrupted(path, monkeypatch, owner, name):
    monkeypatch.setattr(owner, name, _interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert _names(path) == ["finding.json"]


def test_no_file_appears_when_the_first_write_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomic(tmp_path / "new.json", b"new")
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_made_is_named(path):
    with pytest.raises(OutputError, match=r"inside: cannot be written \(a file is in the place of a folder\); choose"):
        write_atomic(path / "inside", b"new")


def test_folder_in_the_place_of_the_file_stays(tmp_path):
    (tmp_path / "finding.json").mkdir()
    with pytest.raises(OutputError, match=r"finding\.json: cannot be written"):
        write_atomic(tmp_path / "finding.json", b"new")
    assert _names(tmp_path / "finding.json") == ["finding.json"]


def test_file_is_written_in_pieces(path):
    write_atomic(path, (piece for piece in (b"a", b"b")))
    assert path.read_bytes() == b"ab"


def test_piece_that_fails_leaves_the_old_file(path):
    def pieces():
        yield b"new"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomic(path, pieces())
    assert path.read_bytes() == b"old"
    assert _names(path) == ["finding.json"]


def test_sweeping_takes_what_was_half_written_only(path):
    left = path.with_name(".finding.json.0123abcd.part")
    left.write_bytes(b"half")
    other = path.with_name(".mine.part")
    other.write_bytes(b"kept")
    remove_partial_files(path.parent)
    assert sorted(_names(path)) == [".mine.part", "finding.json"]


def test_sweeping_where_nothing_is_does_nothing(tmp_path):
    remove_partial_files(tmp_path / "nix")


def test_folder_in_the_way_is_reported(tmp_path):
    (tmp_path / "findings.csv").mkdir()
    with pytest.raises(OutputError, match=r"findings\.csv: cannot be replaced \(.*\); remove it or choose another"):
        remove(tmp_path / "findings.csv")
