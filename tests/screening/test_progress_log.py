from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.errors import OutputError, UsageError
from cxrnet.screening.inputs import Input
from cxrnet.screening.progress_log import JOURNAL, Journal, fingerprint, sizes

SETTINGS = {"command": "screen", "bundle": "small 0.1", "save": ["json", "png"]}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def item(tmp_path, out):
    """An input that is done: its film and its result are there."""
    film = tmp_path / "film.png"
    film.write_bytes(b"film")
    (out / "film").mkdir(parents=True)
    (out / "film" / "finding.json").write_bytes(b"{}")
    return Input(path=film, folder="film")


def other(item, name):
    return Input(path=item.path.with_name(name), folder=name)


def note(out, *items, finish=False):
    with Journal(out, SETTINGS, resume=True) as journal:
        for one in items:
            journal.add(one, fingerprint(one.path), {"row": one.folder})
        if finish:
            journal.finish()


def recalled(out, *items, settings=SETTINGS):
    with Journal(out, settings, resume=True) as journal:
        return [journal.recall(one) for one in items]


def test_journal_recalls_what_is_done(out, item):
    note(out, item)
    assert recalled(out, item, other(item, "new")) == [{"row": "film"}, None]


def test_journal_forgets_an_input_whose_file_has_changed(out, item):
    note(out, item)
    item.path.write_bytes(b"another film")
    assert recalled(out, item) == [None]


def test_journal_forgets_an_input_that_has_come_since(out, item):
    late = other(item, "late")
    note(out, late)
    late.path.write_bytes(b"film")
    assert recalled(out, late) == [None]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"{")])
def test_journal_forgets_an_input_whose_results_are_damaged(out, item, change):
    note(out, item)
    change(out / "film" / "finding.json")
    assert recalled(out, item) == [None]


def test_journal_forgets_an_input_whose_folder_has_another_name(out, item):
    note(out, item)
    assert recalled(out, Input(path=item.path, folder="film-12345678")) == [None]


def test_journal_takes_the_last_line_of_an_input(out, item):
    with Journal(out, SETTINGS, resume=True) as journal:
        journal.add(item, fingerprint(item.path), "first")
        journal.add(item, fingerprint(item.path), "last")
        assert list(journal.entries([item])) == ["last"]
    assert recalled(out, item) == ["last"]


def test_journal_gives_entries_in_the_order_asked_for(out, item):
    first, second = other(item, "a"), other(item, "b")
    note(out, second, first)
    with Journal(out, SETTINGS, resume=True) as journal:
        assert list(journal.entries([first, item, second])) == [{"row": "a"}, {"row": "b"}]


def test_finished_run_is_begun_anew(out, item):
    note(out, item, finish=True)
    with Journal(out, SETTINGS, resume=False) as journal:
        assert not journal.is_continued
        assert journal.recall(item) is None


def test_finished_run_can_be_continued(out, item):
    note(out, item, finish=True)
    assert recalled(out, item) == [{"row": "film"}]


def test_stopped_run_is_not_begun_anew_by_mistake(out, item):
    note(out, item)
    with pytest.raises(UsageError, match=r"holds a run that was stopped after 1 images; continue it with --resume"):
        Journal(out, SETTINGS, resume=False)
    assert recalled(out, item) == [{"row": "film"}]


def test_run_that_was_stopped_before_its_first_input_is_begun_anew(out):
    note(out)
    with Journal(out, {**SETTINGS, "save": []}, resume=False) as journal:
        assert not journal.is_continued


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("bundle", "large 1.0", r"was begun with bundle small 0\.1, not large 1\.0; resume it with the same"),
        ("save", ["npz"], r"was begun with save json,png, not npz; "),
        ("mend", True, r"was begun with mend None, not True; "),
    ],
)
def test_run_is_not_continued_with_other_settings(out, item, name, value, words):
    note(out, item)
    before = (out / JOURNAL).read_bytes()
    with pytest.raises(UsageError, match=words):
        Journal(out, SETTINGS | {name: value}, resume=True)
    assert (out / JOURNAL).read_bytes() == before


@given(st.floats(0, 1))
def test_torn_last_line_is_cut_off(tmp_path_factory, kept):
    out = tmp_path_factory.mktemp("out")
    items = [Input(path=out / f"{number}.png", folder=str(number)) for number in range(3)]
    note(out, *items)
    whole = (out / JOURNAL).read_bytes()
    length = round(kept * len(whole))
    (out / JOURNAL).write_bytes(whole[:length])
    lines = [json.loads(line) for line in whole[:length].splitlines(keepends=True) if line.endswith(b"\n")]
    done = {line["folder"] for line in lines if "folder" in line}
    found = recalled(out, *items)
    assert {entry["row"] for entry in found if entry} == done
    assert all(json.loads(line) for line in (out / JOURNAL).read_bytes().splitlines())


def test_tail_of_zeros_is_cut_off(out, item):
    note(out, item)
    with (out / JOURNAL).open("ab") as file:
        file.write(bytes(4096))
    assert recalled(out, item) == [{"row": "film"}]


def test_damage_in_the_middle_is_told(out, item):
    note(out, item, other(item, "b"))
    path = out / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"folder":"film"', b'"folder":"film', 1))
    with pytest.raises(UsageError, match=r"journal\.jsonl: line 3 is damaged; choose another folder"):
        Journal(out, SETTINGS, resume=True)


def test_file_of_another_program_is_left_alone(out):
    out.mkdir()
    (out / JOURNAL).write_text('{"mine": 1}\n')
    with pytest.raises(UsageError, match="is not a journal of this version of cxrnet"):
        Journal(out, SETTINGS, resume=False)
    assert (out / JOURNAL).read_text() == '{"mine": 1}\n'


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_second_run_into_the_folder_is_refused(out, item):
    words = rf"process {os.getpid()} is writing there; wait for it"
    with Journal(out, SETTINGS, resume=True), pytest.raises(UsageError, match=words):
        Journal(out, SETTINGS, resume=True)
    note(out, item)


def test_line_that_the_disk_does_not_take_is_not_there(out, item, monkeypatch):
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(out, SETTINGS, resume=True) as journal:
        before = journal.path.read_bytes()
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"journal\.jsonl: cannot be written \(No space left on device\)"):
            journal.add(item, None, {})
        assert journal.path.read_bytes() == before


def test_journal_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot be written \(File exists\)"):
        Journal(tmp_path / "out", SETTINGS, resume=False)


def test_file_name_of_any_bytes_is_kept(out):
    odd = Input(path=Path("a\udcff\nb.png"), folder="odd")
    note(out, odd)
    assert recalled(out, odd) == [{"row": "odd"}]


def test_sizes_pass_by_what_is_half_written(out, item):
    (out / "film" / ".panel.png.01234567.part").write_bytes(b"x")
    assert sizes(out / "film") == {"finding.json": 2}
    assert sizes(item.path) == {}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_small_for_100_000_inputs(out):
    program = """
        import resource, sys
        from pathlib import Path
        from cxrnet.screening.inputs import Input
        from cxrnet.screening import progress_log
        journal.os.fsync = lambda _: None  # the disk's speed is not what is measured
        items = [Input(path=Path(f"films/of/a/hospital/{n:06}.dcm"), folder=f"{n:06}") for n in range(100_000)]
        row = {f"column{n}": "0.123456" for n in range(25)}
        def used():
            return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        before = used()
        with journal.Journal(Path(sys.argv[1]), {}, resume=True) as run:
            for item in items:
                run.add(item, None, row)
            assert sum(1 for _ in run.entries(items)) == 100_000
        with journal.Journal(Path(sys.argv[1]), {}, resume=True) as run:
            assert all(run.recall(item) == row for item in items)
        print(used() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100
