import csv
import json
import sqlite3
import threading
from contextlib import closing

import pytest

from cxrnet import Pipeline
from cxrnet.errors import OutputError, RadiographError, UsageError
from cxrnet.screening.batch import INTERNAL, failure_reason, run_batch
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import find_inputs
from cxrnet.screening.options import Options
from cxrnet.screening.progress_log import PROGRESS


def screen(pipeline, items, out, *save, jobs=2, **options):
    """A run over `items`; what it yields does the work."""
    return run_batch(pipeline, items, out, Options(save=frozenset(save), jobs=jobs, **options))


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mixed(chest, dicom, tmp_path):
    """A radiograph, a file that is not an image, a hand, and a file that is missing."""
    (tmp_path / "text.png").write_text("not a picture")
    names = [chest, tmp_path / "text.png", dicom("hand.dcm", BodyPartExamined="HAND"), tmp_path / "nix.dcm"]
    return find_inputs([str(name) for name in names]).items


def test_batch_has_one_row_per_input_in_their_order(pipeline, mixed, tmp_path):
    list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2))
    found = rows(tmp_path / "out" / "findings.csv")
    assert [row["status"] for row in found] == ["scored", "failed", "refused", "failed"]
    assert [row["input"] for row in found] == [str(item.path) for item in mixed]


def test_batch_rows_of_refused_and_failed_inputs_have_no_score(pipeline, mixed, tmp_path):
    list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=1))
    scored, *others = rows(tmp_path / "out" / "findings.csv")
    assert 0 <= float(scored["score_covid"]) <= 1
    assert [row["score_covid"] for row in others] == ["", "", ""]


def test_batch_writes_a_record_for_every_input(pipeline, mixed, tmp_path):
    list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2))
    assert all((tmp_path / "out" / item.folder / "finding.json").is_file() for item in mixed)


def test_batch_keeps_the_table_when_it_is_stopped(pipeline, mixed, tmp_path):
    outcomes = screen(pipeline, mixed, tmp_path / "out", jobs=1)
    next(outcomes)
    outcomes.close()
    assert [row["status"] for row in rows(tmp_path / "out" / "findings.csv")] == ["scored"]


def test_batch_ends_when_the_disk_takes_nothing(pipeline, mixed, tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2))


def test_batch_segments(pipeline, mixed, tmp_path):
    list(screen(pipeline, mixed, tmp_path / "out", "png", jobs=2, task="segment"))
    found = rows(tmp_path / "out" / "lungs.csv")
    assert [row["status"] for row in found] == ["segmented", "failed", "segmented", "failed"]
    assert (tmp_path / "out" / mixed[0].folder / "lungs.png").is_file()


def test_batch_row_stays_on_one_line_for_any_file_name(pipeline, chest, tmp_path):
    odd = chest.rename(chest.with_name("two\nlines, \x1b[31mred.png"))
    list(screen(pipeline, find_inputs([str(odd)]).items, tmp_path / "out", jobs=1))
    assert len((tmp_path / "out" / "findings.csv").read_text().splitlines()) == 2


def test_failure_reason_gives_the_code_of_a_bad_input():
    assert failure_reason(RadiographError("COLOUR", "x.png: is in colour")) == Reason("COLOUR", "x.png: is in colour")


def test_failure_reason_lets_other_errors_of_the_user_through():
    with pytest.raises(OutputError, match="full"):
        failure_reason(OutputError("full"))


def test_failure_reason_keeps_the_traceback_of_a_fault_of_the_program(capsys):
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError as error:
        reason = failure_reason(error)
    assert reason.code == "INTERNAL"
    assert "ZeroDivisionError: oops" in capsys.readouterr().err


def test_batch_resumes_where_it_was_stopped(pipeline, mixed, tmp_path):
    stopped = screen(pipeline, mixed, tmp_path / "out", "json", jobs=1)
    next(stopped)
    stopped.close()
    outcomes = list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2, resume=True))
    assert [outcome.is_recalled for outcome in outcomes] == [True, False, False, False]
    assert [row["status"] for row in rows(tmp_path / "out" / "findings.csv")] == [
        "scored",
        "failed",
        "refused",
        "failed",
    ]


@pytest.mark.parametrize("content", ["{", "3", "{}"])
def test_batch_does_an_image_again_whose_entry_is_damaged(pipeline, chest, tmp_path, content):
    items = find_inputs([str(chest)]).items
    list(screen(pipeline, items, tmp_path, "json"))
    with closing(sqlite3.connect(tmp_path / PROGRESS)) as database, database:
        database.execute("UPDATE done SET outcome = ?", [content])
    (again,) = screen(pipeline, items, tmp_path, "json", resume=True)
    assert (again.status, again.is_recalled) == ("scored", False)
    assert len(rows(tmp_path / "findings.csv")) == 1


def test_batch_recalls_reasons_as_they_were(pipeline, mixed, tmp_path):
    first = list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2))
    again = list(screen(pipeline, mixed, tmp_path / "out", "json", jobs=2, resume=True))
    assert all(outcome.is_recalled for outcome in again)
    assert [outcome.reasons for outcome in again] == [outcome.reasons for outcome in first]
    assert [outcome.row for outcome in again] == [outcome.row for outcome in first]


def test_batch_started_over_leaves_nothing_of_another_image(pipeline, chest, tmp_path):
    items = find_inputs([str(chest)]).items
    list(screen(pipeline, items, tmp_path / "out", "json", "png", jobs=1))
    chest.write_text("not a picture any more")
    list(screen(pipeline, items, tmp_path / "out", "json", "png", jobs=1))
    assert [path.name for path in (tmp_path / "out" / "chest").iterdir()] == ["finding.json"]


def test_batch_removes_partial_files(pipeline, chest, tmp_path):
    left = [tmp_path / "out" / ".findings.csv.0123abcd.part", tmp_path / "out" / "chest" / ".panel.png.0123abcd.part"]
    left[1].parent.mkdir(parents=True)
    for path in left:
        path.write_bytes(b"half")
    list(screen(pipeline, find_inputs([str(chest)]).items, tmp_path / "out", jobs=1))
    assert not any(path.exists() for path in left)


def test_batch_continues_when_results_cannot_be_made(pipeline, chest, dicom, tmp_path, monkeypatch, capsys):
    def fall(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("cxrnet.screening.outputs.draw_panel", fall)
    items = find_inputs([str(chest), str(tmp_path / "nix.png")]).items
    first, second = screen(pipeline, items, tmp_path / "out", "json", "png", jobs=1)
    assert first.reasons[0].code == INTERNAL
    assert second.reasons[0].code == "NOT_FOUND"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_batch_is_not_resumed_by_another_command(pipeline, mixed, tmp_path):
    list(screen(pipeline, mixed, tmp_path / "out", "png", jobs=1))
    with pytest.raises(UsageError, match="command screen, not segment"):
        list(screen(pipeline, mixed, tmp_path / "out", "png", jobs=1, resume=True, task="segment"))


def test_batch_writes_identifiers_only_when_asked(small_bundle, pipeline, dicom, tmp_path):
    items = find_inputs([str(dicom(PatientID="=P-17", AccessionNumber="A9"))]).items
    list(screen(pipeline, items, tmp_path / "without", "json", jobs=1))
    assert b"P-17" not in b"".join(path.read_bytes() for path in (tmp_path / "without").rglob("*.*"))
    with Pipeline.load(small_bundle, identifiers=True) as telling:
        list(screen(telling, items, tmp_path / "with", "json"))
    (row,) = rows(tmp_path / "with" / "findings.csv")
    record = json.loads((tmp_path / "with" / "chest" / "finding.json").read_text())
    assert (row["PatientID"], row["AccessionNumber"], row["StudyInstanceUID"]) == ("'=P-17", "A9", "")
    assert record["identifiers"] | {"SOPInstanceUID": ""} == {
        "PatientID": "=P-17",
        "SOPInstanceUID": "",
        "AccessionNumber": "A9",
    }


def test_batch_row_is_no_formula(pipeline, chest, tmp_path, monkeypatch):
    chest.rename(chest.with_name("=1+1.png"))
    monkeypatch.chdir(tmp_path)
    list(screen(pipeline, find_inputs(["=1+1.png"]).items, tmp_path / "out", jobs=1))
    assert rows(tmp_path / "out" / "findings.csv")[0]["input"] == "./=1+1.png"


@pytest.fixture
def odd(chest):
    """A file whose name is not UTF-8."""
    return chest.rename(chest.with_name("caf\udce9.png"))


def test_batch_escapes_file_names_that_are_not_utf8(pipeline, odd, tmp_path):
    list(screen(pipeline, find_inputs([str(odd)]).items, tmp_path / "out", "json", "png"))
    (record,) = (tmp_path / "out").glob("*/finding.json")
    escaped = str(tmp_path / r"caf\xe9.png")
    assert json.loads(record.read_bytes().decode("utf-8"))["input"] == escaped
    assert rows(tmp_path / "out" / "findings.csv")[0]["input"] == escaped


def test_batch_resumes_file_names_that_are_not_utf8(pipeline, odd, tmp_path):
    items = find_inputs([str(odd)]).items
    list(screen(pipeline, items, tmp_path / "out", "json"))
    (again,) = screen(pipeline, items, tmp_path / "out", "json", resume=True)
    assert again.is_recalled


def test_batch_screens_the_next_image_while_one_is_written(pipeline, chest, tmp_path, monkeypatch):
    (tmp_path / "again.png").write_bytes(chest.read_bytes())
    screened, second = [], threading.Event()

    def screen_one(path, **_):
        screened.append(path)
        if len(screened) == 2:
            second.set()
        raise RadiographError("UNREADABLE", "no")

    def write(*_):
        assert second.wait(30)

    monkeypatch.setattr(pipeline, "screen", screen_one)
    monkeypatch.setattr("cxrnet.screening.batch.write_finding", write)
    items = find_inputs([str(chest), str(tmp_path / "again.png")]).items
    outcomes = list(screen(pipeline, items, tmp_path / "out", "json", jobs=1))
    assert [outcome.item for outcome in outcomes] == list(items)
