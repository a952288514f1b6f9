from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from cxrnet.data.check import check_manifest, tabulate
from cxrnet.data.manifest import Columns
from tests.data.conftest import sample, write_mask, write_rows


def found(report, code):
    return [problem for problem in report.problems if problem.code == code]


@pytest.fixture
def check(films):
    """Function that changes rows of the manifest by their number and checks it."""

    def check(changes=None, **options):
        for number, change in (changes or {}).items():
            films.rows[number] |= change
        return check_manifest(write_rows(films.csv, films.rows), **({"similarity": 0.99} | options))

    return check


def test_sound_manifest_has_no_problem(check):
    report = check()
    assert report.problems == ()
    assert not report.has_errors
    assert (report.rows, report.films, report.masks, report.groups, report.patients) == (12, 12, 12, 6, 6)


def test_classes_are_counted_by_source(check):
    assert check({0: {"source": "two"}}).table == {"one": {"covid": 5, "non-covid": 6}, "two": {"covid": 1}}


def test_image_of_two_rows_is_counted_once():
    rows = [sample(0, source="one"), sample(1, image="0.png", source="one")]
    assert tabulate(rows) == {"one": {"covid": 1}}


def test_faulty_rows_are_errors(check):
    (problem,) = found(check({3: {"image": ""}}), "ROW")
    assert problem.kind == "error"
    assert "films.csv: line 5: image is empty" in problem.text


def test_empty_manifest_is_an_error(films):
    films.csv.write_text("image\n")
    report = check_manifest(films.csv)
    assert [problem.text for problem in found(report, "EMPTY")] == ["films.csv: has no sound row"]


def test_missing_image_is_an_error(check):
    (problem,) = found(check({3: {"image": "images/nix.png"}}), "IMAGE")
    assert problem.text == "line 5: image nix.png: no such file; give an existing file"
    assert problem.lines == (5,)


def test_damaged_mask_is_an_error(check, films):
    (films.folder / "masks" / "3.png").write_bytes(b"x")
    (problem,) = found(check(), "MASK")
    assert "line 5: mask 3.png: the file is not in a known image format" in problem.text


def test_mask_of_another_size_is_an_error(check, films):
    write_mask(films.folder / "masks" / "3.png", np.eye(70, 75, dtype=bool))
    (problem,) = found(check(), "MASK_SIZE")
    assert problem.text == "line 5: the mask is 75 x 70, its image 90 x 80; a mask has the size of its image"


def test_image_with_two_classes_is_an_error(check):
    (problem,) = found(check({1: {"image": "images/2.png"}}), "LABELS")
    assert problem.text == "lines 3, 4: 2.png is labelled covid and non-covid; one image has one class"


def test_patient_in_two_splits_is_an_error(check):
    (problem,) = found(check({3: {"split": "val"}}), "PATIENT_LEAK")
    assert problem.text == "lines 4, 5: patient p1 is in train and val; keep it in one split"


def test_group_in_two_splits_is_an_error(check):
    report = check({0: {"source": "x"}, 11: {"source": "x"}}, columns=Columns(group="source"))
    assert found(report, "GROUP_LEAK")[0].text == "lines 2, 13: group x is in train and val; keep it in one split"


def test_copy_in_another_split_is_an_error(check, films):
    shutil.copy(films.folder / "images" / "0.png", films.folder / "images" / "11.png")
    (problem,) = found(check(), "DUPLICATE_LEAK")
    assert problem.kind == "error"
    assert problem.text == (
        "lines 2, 13: 0.png and 11.png look the same (correlation 1.00), different groups, in train and val"
    )


def test_copy_in_the_same_split_is_a_note(check, films):
    shutil.copy(films.folder / "images" / "0.png", films.folder / "images" / "1.png")
    report = check()
    (problem,) = found(report, "DUPLICATE")
    assert problem.text.endswith("the same group, in one split")
    assert not report.has_errors


def test_source_with_one_class_is_a_warning(check):
    changes = {number: {"label": "covid", "source": "sick"} for number in range(10)}
    report = check(changes | {10: {"label": "non-covid"}, 11: {"label": "covid"}})
    (problem,) = found(report, "ONE_CLASS_SOURCE")
    assert problem.text == "source sick has the class covid only (10 images)"
    (whole,) = found(report, "CLASS_IS_SOURCE")
    assert whole.text.startswith("the source alone tells the class of 83% of the images")
    assert not report.has_errors


def test_one_class_in_all_is_no_warning(check):
    assert check({number: {"label": "covid"} for number in range(12)}).problems == ()


def test_rows_are_chosen(check):
    assert check(where={"split": "val"}).rows == 4


def test_long_lists_of_lines_are_cut(check):
    (problem,) = found(check({number: {"patient_id": "p"} for number in range(12)}), "PATIENT_LEAK")
    assert problem.text.startswith("lines 2, 3, 4, 5, 6, 7 and 6 more: patient p")
    assert len(problem.lines) == 12


def test_errors_come_first_and_json_has_all(check, films):
    shutil.copy(films.folder / "images" / "0.png", films.folder / "images" / "1.png")
    report = check({3: {"image": "images/nix.png"}})
    told = json.loads(report.to_json())
    assert [problem["kind"] for problem in told["problems"]] == ["error", "note"]
    assert told["rows"] == 12


def test_progress_is_told(check):
    told = []
    check(progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize("name", ["segmentation", "classification"])
def test_real_manifests_have_no_errors(shared, name):
    where = {"split": "val"}
    assert not check_manifest(shared / "data" / name / "manifest.csv", where=where).has_errors
