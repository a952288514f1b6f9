import json
import shutil

import cv2
import numpy as np
import pytest

from cxrnet.data.check import check_manifest, require_sound
from cxrnet.data.manifest import Columns
from cxrnet.data.mask_values import MaskValues
from cxrnet.data.problem import Problem
from cxrnet.errors import LeakError
from tests.data.conftest import write_mask, write_rows


def found(report, code):
    return [problem for problem in report.problems if problem.code == code]


@pytest.fixture
def check(xrays):
    """Function that changes rows of the manifest by their number and checks it."""

    def check(changes=None, **options):
        for number, change in (changes or {}).items():
            xrays.rows[number] |= change
        return check_manifest(write_rows(xrays.csv, xrays.rows), **({"similarity": 0.99} | options))

    return check


def test_sound_manifest_has_no_problem(check):
    report = check()
    assert report.problems == ()
    assert not report.has_errors
    assert (report.rows, report.images, report.masks, report.groups, report.patients) == (12, 12, 12, 6, 6)


def test_classes_are_counted_by_source(check):
    assert check({0: {"source": "two"}}).table == {"one": {"covid": 5, "non-covid": 6}, "two": {"covid": 1}}


THIRDS = np.pad(np.arange(5600).reshape(70, 80).astype(np.uint8) % 3, 5)
MASKS = {
    "MASK": ("error", b"x"),
    "MASK_SIZE": ("error", np.eye(70, 75) * 255),
    "MASK_VALUES": ("error", THIRDS * 127),
    "MASK_AREA": ("warning", np.pad(np.full((72, 80), 255), ((4, 4), (5, 5)))),
}


@pytest.mark.parametrize("code", MASKS)
def test_mask_at_fault_is_found_with_its_line(check, xrays, code):
    kind, content = MASKS[code]
    path = xrays.folder / "masks" / "3.png"
    path.write_bytes(content if isinstance(content, bytes) else cv2.imencode(".png", content.astype(np.uint8))[1])
    (problem,) = check().problems
    assert (problem.kind, problem.code, problem.lines) == (kind, code, (5,))


@pytest.mark.parametrize(("name", "code"), [("", "ROW"), ("images/nix.png", "IMAGE")])
def test_image_that_is_not_there_is_an_error(check, name, code):
    (problem,) = check({3: {"image": name}}).problems
    assert (problem.kind, problem.code, problem.lines) == ("error", code, (5,))


def test_empty_manifest_is_an_error(xrays):
    xrays.csv.write_text("image\n")
    report = check_manifest(xrays.csv)
    assert [problem.text for problem in found(report, "EMPTY")] == ["xrays.csv: has no sound row"]


def test_image_with_two_classes_is_an_error(check):
    (problem,) = found(check({1: {"image": "images/2.png"}}), "LABELS")
    assert problem.text == "lines 3, 4: 2.png is labelled covid and non-covid; one image has one class"


def test_patient_in_two_splits_is_an_error(check):
    (problem,) = found(check({3: {"split": "val"}}), "PATIENT_LEAK")
    assert problem.text == "lines 4, 5: patient p1 is in train and val; keep it in one split"


def test_group_in_two_splits_is_an_error(check):
    report = check({0: {"source": "x"}, 11: {"source": "x"}}, columns=Columns(group="source"))
    assert found(report, "GROUP_LEAK")[0].text == "lines 2, 13: group x is in train and val; keep it in one split"


def test_copy_in_another_split_is_an_error(check, xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "8.png")
    (problem,) = check().problems
    assert (problem.kind, problem.code, problem.lines) == ("error", "DUPLICATE_LEAK", (2, 10))


def test_copy_with_another_class_is_an_error(check, xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "2.png")
    (problem,) = check().problems
    assert (problem.kind, problem.code, problem.lines) == ("error", "DUPLICATE_LABELS", (2, 4))


def test_copy_in_the_same_split_is_a_note(check, xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "1.png")
    report = check()
    (problem,) = found(report, "DUPLICATE")
    assert problem.text.endswith("the same group")
    assert not report.has_errors


def test_source_with_one_class_is_a_warning(check):
    changes = {number: {"label": "covid", "source": "sick"} for number in range(10)}
    report = check(changes | {10: {"label": "non-covid"}, 11: {"label": "covid"}})
    (problem,) = found(report, "ONE_CLASS_SOURCE")
    assert problem.text == "source sick has the class covid only (10 images)"
    (whole,) = found(report, "CLASS_IS_SOURCE")
    assert whole.text.startswith("the source alone tells the class of 83% of the images")
    assert not report.has_errors


def test_patient_in_two_folds_is_an_error(check):
    report = check({number: {"fold": str(number % 2), "split": ""} for number in range(12)})
    problem = found(report, "PATIENT_LEAK")[0]
    assert (problem.kind, problem.lines) == ("error", (2, 3))
    assert "patient p0 is in fold 0 and fold 1" in problem.text


def test_image_by_two_spellings_is_one_image(check):
    report = check({8: {"image": "masks/../images/0.png", "label": "non-covid", "patient_id": "p9"}})
    assert report.images == 11
    codes = {problem.code: problem.lines for problem in report.problems}
    assert codes == {"LABELS": (2, 10), "IMAGE_LEAK": (2, 10)}


def test_labels_in_another_case_are_an_error(check):
    (problem,) = found(check({0: {"label": "COVID"}, 4: {"label": "Covid"}}), "LABEL_CASE")
    assert (problem.kind, problem.lines) == ("error", (2, 6))
    assert "differs from covid in case or punctuation only" in problem.text


def test_split_that_no_training_accepts_is_a_warning(check):
    (problem,) = found(check({number: {"split": "holdout"} for number in (1, 3)}), "SPLIT")
    assert (problem.kind, problem.lines) == ("warning", (3, 5))
    assert "split is holdout" in problem.text


@pytest.mark.parametrize("word", ["nan", "Unknown"])
def test_patients_that_are_not_known_are_no_patient(check, word):
    report = check({number: {"patient_id": word} for number in range(12)})
    (problem,) = report.problems
    assert (problem.kind, problem.code, len(problem.lines)) == ("warning", "PLACEHOLDER", 12)
    assert (report.groups, report.patients) == (12, 0)


def test_groups_and_patients_are_counted_as_folds_and_intervals_join_them(check):
    report = check(
        {0: {"patient_id": "007"}, 1: {"patient_id": "7.0"}, 2: {"patient_id": "P2"}, 3: {"patient_id": "p2"}}
    )
    assert (report.groups, report.patients) == (5, 5)


def test_label_maps_and_empty_masks_are_noted_once(check, xrays):
    for number in (3, 5):
        cv2.imwrite(str(xrays.folder / "masks" / f"{number}.png"), THIRDS)
    write_mask(xrays.folder / "masks" / "4.png", np.zeros((80, 90), bool))
    write_mask(xrays.folder / "masks" / "6.png", np.zeros((80, 90), bool))
    report = check()
    assert [(one.kind, one.code, one.lines) for one in report.problems] == [
        ("warning", "EMPTY_MASK", (6, 8)),
        ("note", "LABEL_MAP", (5, 7)),
    ]
    assert not found(check(values=MaskValues(lung=("1", "2", "255"))), "LABEL_MAP")


LEAK = Problem(kind="error", code="PATIENT_LEAK", text="lines 2, 3: patient p0 is in train and val", lines=(2, 3))
BROKEN = Problem(kind="error", code="IMAGE", text="line 4: image x", lines=(4,))
NOTE = Problem(kind="note", code="DUPLICATE", text="lines 2, 3: same")


def test_errors_stop_and_name_their_rows():
    with pytest.raises(LeakError, match=r"lines 2, 3: patient p0 .*--allow-leaks"):
        require_sound([LEAK, NOTE], allow_leaks=False)
    assert require_sound([NOTE], allow_leaks=False) == ()


def test_leaks_can_be_accepted_and_unreadable_files_cannot():
    assert require_sound([LEAK, NOTE], allow_leaks=True) == (LEAK,)
    with pytest.raises(LeakError, match="1 errors: IMAGE line 4"):
        require_sound([LEAK, BROKEN], allow_leaks=True)


def test_long_lists_of_lines_are_cut(check):
    (problem,) = found(check({number: {"patient_id": "p"} for number in range(12)}), "PATIENT_LEAK")
    assert problem.text.startswith("lines 2, 3, 4, 5, 6, 7 and 6 more: patient p")
    assert len(problem.lines) == 12


def test_errors_come_first_and_json_has_all(check, xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "1.png")
    report = check({3: {"image": "images/nix.png"}})
    reported = json.loads(report.to_json())
    assert [problem["kind"] for problem in reported["problems"]] == ["error", "note"]
    assert reported["rows"] == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segmentation", "classification"])
def test_real_manifests_have_no_errors(shared, name):
    where = {"split": "val"}
    assert not check_manifest(shared / "data" / name / "manifest.csv", where=where).has_errors


def test_line_breaks_and_controls_in_a_cell_leave_the_problem_one_line(check):
    (problem,) = found(check({0: {"split": "val\nERROR\x1b[31m"}}), "SPLIT")
    assert problem.text == "line 2: split is val\\nERROR\\x1b[31m; a training accepts train, val, test"


def test_one_mask_on_three_images_is_a_warning(check, xrays):
    shutil.copy(xrays.csv.parent / xrays.rows[0]["mask"], xrays.csv.parent / "copied.png")
    (problem,) = found(check({1: {"mask": "copied.png"}, 4: {"mask": "copied.png"}}), "SHARED_MASK")
    assert (problem.kind, problem.lines) == ("warning", (2, 3, 6))
    assert "the masks are the same on different images" in problem.text


def test_one_image_in_two_rows_shares_its_mask(check, xrays):
    row = {name: xrays.rows[0][name] for name in ("image", "mask")}
    assert not found(check({1: row, 2: row}), "SHARED_MASK")
