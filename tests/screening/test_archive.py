from __future__ import annotations

import csv

import pytest

from cxrnet.errors import OutputError, RadiographError
from cxrnet.screening.archive import explain, screen_archive, segment_archive
from cxrnet.screening.inputs import gather


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mixed(chest, dicom, tmp_path):
    """A film, a file that is none, a hand, and a file that is not there."""
    (tmp_path / "text.png").write_text("not a picture")
    names = [chest, tmp_path / "text.png", dicom("hand.dcm", BodyPartExamined="HAND"), tmp_path / "nix.dcm"]
    return gather([str(name) for name in names]).items


def test_archive_has_a_row_an_input_in_their_order(pipeline, mixed, tmp_path):
    list(screen_archive(pipeline, mixed, tmp_path / "out", save={"json"}, jobs=2))
    found = rows(tmp_path / "out" / "findings.csv")
    assert [row["status"] for row in found] == ["scored", "failed", "refused", "failed"]
    assert [row["input"] for row in found] == [str(item.path) for item in mixed]


def test_archive_rows_of_refused_and_failed_inputs_have_no_score(pipeline, mixed, tmp_path):
    list(screen_archive(pipeline, mixed, tmp_path / "out", save={"json"}, jobs=1))
    scored, *others = rows(tmp_path / "out" / "findings.csv")
    assert 0 <= float(scored["score_covid"]) <= 1
    assert [row["score_covid"] for row in others] == ["", "", ""]


def test_archive_writes_a_record_for_every_input(pipeline, mixed, tmp_path):
    list(screen_archive(pipeline, mixed, tmp_path / "out", save={"json"}, jobs=2))
    assert all((tmp_path / "out" / item.folder / "finding.json").is_file() for item in mixed)


def test_archive_keeps_the_table_when_it_is_stopped(pipeline, mixed, tmp_path):
    outcomes = screen_archive(pipeline, mixed, tmp_path / "out", save=set(), jobs=1)
    next(outcomes)
    outcomes.close()
    assert [row["status"] for row in rows(tmp_path / "out" / "findings.csv")] == ["scored"]


def test_archive_ends_when_the_disk_takes_nothing(pipeline, mixed, tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        list(screen_archive(pipeline, mixed, tmp_path / "out", save={"json"}, jobs=2))


def test_archive_segments(pipeline, mixed, tmp_path):
    list(segment_archive(pipeline, mixed, tmp_path / "out", save={"png"}, jobs=2))
    found = rows(tmp_path / "out" / "lungs.csv")
    assert [row["status"] for row in found] == ["segmented", "failed", "segmented", "failed"]
    assert (tmp_path / "out" / mixed[0].folder / "lungs.png").is_file()


def test_archive_row_stays_on_one_line_for_any_file_name(pipeline, chest, tmp_path):
    odd = chest.rename(chest.with_name("two\nlines, \x1b[31mred.png"))
    list(screen_archive(pipeline, gather([str(odd)]).items, tmp_path / "out", save=set(), jobs=1))
    assert len((tmp_path / "out" / "findings.csv").read_text().splitlines()) == 2


def test_explain_gives_the_code_of_a_bad_input():
    assert explain(RadiographError("COLOUR", "x.png: is in colour")) == ("COLOUR", "x.png: is in colour")


def test_explain_lets_other_errors_of_the_user_through():
    with pytest.raises(OutputError, match="full"):
        explain(OutputError("full"))


def test_explain_keeps_the_traceback_of_a_fault_of_the_program(capsys):
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError as error:
        reason = explain(error)
    assert reason.code == "INTERNAL"
    assert "ZeroDivisionError: oops" in capsys.readouterr().err
