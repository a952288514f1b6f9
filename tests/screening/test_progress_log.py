import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cxrnet.errors import OutputError, UsageError
from cxrnet.screening.inputs import Input
from cxrnet.screening.progress_log import LEGACY, PROGRESS, ProgressLog, fingerprint, sizes

SETTINGS = {"command": "screen", "bundle": "small 0.1", "save": ["json", "png"]}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def item(tmp_path, out):
    """An input that is done: its image and its result are there."""
    image = tmp_path / "image.png"
    image.write_bytes(b"image")
    (out / "image").mkdir(parents=True)
    (out / "image" / "finding.json").write_bytes(b"{}")
    return Input(path=image, folder="image")


def other(item, name):
    return Input(path=item.path.with_name(name), folder=name)


def note(out, *items, finish=False):
    with ProgressLog(out, SETTINGS, resume=True) as log:
        for one in items:
            log.add(one, fingerprint(one), one.folder)
        if finish:
            log.finish()


def recorded(out, *items, settings=SETTINGS):
    with ProgressLog(out, settings, resume=True) as log:
        return [log.recorded(one) for one in items]


def change(out, statement, *values):
    with closing(sqlite3.connect(out / PROGRESS)) as database, database:
        database.execute(statement, values)


def test_log_recalls_what_is_done(out, item):
    note(out, item)
    assert recorded(out, item, other(item, "new")) == ["image", None]


def test_changed_input_is_done_again(out, item):
    note(out, item)
    item.path.write_bytes(b"another image")
    assert recorded(out, item) == [None]


def test_input_that_has_come_since_is_done_again(out, item):
    late = other(item, "late")
    note(out, late)
    late.path.write_bytes(b"image")
    assert recorded(out, late) == [None]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"{")])
def test_input_with_damaged_results_is_done_again(out, item, change):
    note(out, item)
    change(out / "image" / "finding.json")
    assert recorded(out, item) == [None]


def test_input_with_another_folder_is_done_again(out, item):
    note(out, item)
    assert recorded(out, Input(path=item.path, folder="image-12345678")) == [None]


def test_log_keeps_the_last_outcome_of_an_input(out, item):
    with ProgressLog(out, SETTINGS, resume=True) as log:
        log.add(item, fingerprint(item), "first")
        log.add(item, fingerprint(item), "last")
        assert list(log.outcomes([item])) == ["last"]
    assert recorded(out, item) == ["last"]


def test_log_gives_outcomes_in_the_order_asked_for(out, item):
    first, second = other(item, "a"), other(item, "b")
    note(out, second, first)
    with ProgressLog(out, SETTINGS, resume=True) as log:
        assert list(log.outcomes([first, item, second])) == ["a", "b"]


def test_finished_run_is_started_over(out, item):
    note(out, item, finish=True)
    with ProgressLog(out, SETTINGS, resume=False) as log:
        assert not log.is_continued
        assert log.recorded(item) is None


def test_finished_run_can_be_continued(out, item):
    note(out, item, finish=True)
    assert recorded(out, item) == ["image"]


def test_stopped_run_is_not_started_over_by_mistake(out, item):
    note(out, item)
    with pytest.raises(UsageError, match=r"holds a run that was stopped after 1 images; continue it with --resume"):
        ProgressLog(out, SETTINGS, resume=False)
    assert recorded(out, item) == ["image"]


def test_run_that_was_stopped_before_its_first_input_starts_over(out):
    note(out)
    with ProgressLog(out, {**SETTINGS, "save": []}, resume=False) as log:
        assert not log.is_continued


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("bundle", "large 1.0", r"was started with bundle small 0\.1, not large 1\.0; resume it with the same"),
        ("save", ["npz"], r"was started with save json,png, not npz; "),
        ("auto-correct", True, r"was started with auto-correct None, not True; "),
    ],
)
def test_run_is_not_continued_with_other_settings(out, item, name, value, words):
    note(out, item)
    with pytest.raises(UsageError, match=words):
        ProgressLog(out, SETTINGS | {name: value}, resume=True)
    assert recorded(out, item) == ["image"]


@pytest.mark.parametrize("content", [b"mine", b"SQLite format 3\x00" + bytes(84), bytes(4096)])
def test_file_of_another_program_is_left_alone(out, content):
    out.mkdir()
    (out / PROGRESS).write_bytes(content)
    with pytest.raises(UsageError, match=PROGRESS):
        ProgressLog(out, SETTINGS, resume=False)
    assert (out / PROGRESS).read_bytes() == content


@pytest.mark.parametrize("column", ["file", "outputs"])
@pytest.mark.parametrize("content", ['"[1, ', "[1]", None])
def test_input_with_a_damaged_entry_is_done_again(out, item, column, content):
    note(out, item)
    change(out, f"UPDATE done SET {column} = ?", content)
    assert recorded(out, item) == [None]


@pytest.mark.parametrize("content", ["{", "3", None])
def test_damaged_settings_are_one_line(out, item, content):
    note(out, item)
    change(out, "UPDATE run SET settings = ?", content)
    with pytest.raises(UsageError, match=r"progress\.sqlite: is not a progress log .* or damaged"):
        recorded(out, item)


def test_log_of_an_older_version_is_named(out):
    out.mkdir()
    (out / LEGACY).write_text("{}")
    with pytest.raises(UsageError, match=LEGACY):
        ProgressLog(out, SETTINGS, resume=True)


def test_second_run_into_the_folder_is_refused(out, item):
    with ProgressLog(out, SETTINGS, resume=True), pytest.raises(UsageError, match="another run is writing there"):
        ProgressLog(out, SETTINGS, resume=True)
    note(out, item)


def test_log_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError, match=r"out: cannot be written \(a file is in the place of a folder\)"):
        ProgressLog(tmp_path / "out", SETTINGS, resume=False)


def test_file_name_of_any_bytes_is_kept(out):
    odd = Input(path=Path("a\udcff\nb.png"), folder="odd")
    note(out, odd)
    assert recorded(out, odd) == ["odd"]


def test_sizes_pass_by_what_is_half_written(out, item):
    (out / "image" / ".panel.png.01234567.part").write_bytes(b"x")
    assert sizes(out / "image") == {"finding.json": 2}
    assert sizes(item.path) == {}
