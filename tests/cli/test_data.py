import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.data.conftest import decoder, one_decoder, read_rows, write_rows, write_xray, xrays

__all__ = ["decoder", "one_decoder", "xrays"]  # fixtures


def test_manifest_says_what_it_found(cxrnet, tmp_path):
    for name in ("COVID", "Normal"):
        write_xray(tmp_path / "set" / name / "1.png")
    (tmp_path / "set" / "COVID" / "notes.txt").write_text("x")
    said = cxrnet("data", "manifest", "folders", tmp_path / "set", "--out", tmp_path / "xrays.csv")
    assert said.code == 0
    assert said.out.splitlines()[:2] == [
        f"{tmp_path / 'xrays.csv'}: 2 images, 0 with a lung mask",
        "left out 1: not an image by its name",
    ]


def test_manifest_exits_2_for_an_unknown_layout(cxrnet, tmp_path):
    said = cxrnet("data", "manifest", "nih", tmp_path, "--out", tmp_path / "xrays.csv")
    assert said.code == 2
    assert said.err.startswith("ERROR nih: is not a known layout")


def test_check_exits_0_when_nothing_is_wrong(cxrnet, xrays):
    said = cxrnet("data", "check", xrays.csv, "--similarity", "0.99")
    assert said.code == 0
    assert "12 rows, 12 images, 12 masks, 6 groups, 6 patients" in said.out
    assert said.out.endswith("0 errors, 0 warnings, 0 notes\n")


def test_check_exits_1_and_writes_json_when_something_is(cxrnet, xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "8.png")
    said = cxrnet("data", "check", xrays.csv, "--similarity", "0.99", "--json", xrays.folder / "report.json")
    assert said.code == 1
    assert "ERROR DUPLICATE_LEAK lines 2, 10: 0.png and 8.png look the same" in said.out
    assert json.loads((xrays.folder / "report.json").read_text())["problems"][0]["lines"] == [2, 10]


def test_check_lists_no_more_than_fits_a_screen(cxrnet, xrays):
    lines = "".join(f"nix{number}.png\n" for number in range(30))
    xrays.csv.write_text(f"image\n{lines}")
    said = cxrnet("data", "check", xrays.csv)
    assert "ERROR and 10 more; " in said.out


def test_check_exits_2_without_a_manifest(cxrnet, tmp_path):
    said = cxrnet("data", "check", tmp_path / "nix.csv")
    assert said.code == 2
    assert "nix.csv: is not a readable CSV file" in said.err


def test_split_writes_folds(cxrnet, xrays):
    out = xrays.folder / "folds.csv"
    said = cxrnet(
        "data", "split", xrays.csv, "--out", out, "--folds", 3, "--no-merge-duplicates", "--where", "split=train"
    )
    assert said.code == 0
    assert {row["fold"] for row in read_rows(out)} == {"0", "1", "2"}
    assert len(read_rows(out)) == 8


def test_split_keeps_repeats_together_unless_disabled(cxrnet, xrays):
    said = cxrnet("data", "split", xrays.csv, "--out", xrays.folder / "folds.csv", "--folds", 2, "--similarity", "0.99")
    assert said.out.startswith("0 pairs of near-duplicates are kept together")


def test_split_exits_2_for_fewer_groups_than_folds(cxrnet, xrays):
    said = cxrnet("data", "split", xrays.csv, "--out", xrays.folder / "f.csv", "--folds", 7, "--no-merge-duplicates")
    assert said.code == 2
    assert said.err == "ERROR 6 groups cannot fill 7 folds; take fewer folds or add patients\n"


def test_pack_says_what_it_wrote(cxrnet, xrays):
    out = xrays.folder / "xrays.h5"
    said = cxrnet("data", "pack", xrays.csv, "--out", out, "--height", 64, "--width", 72)
    assert (said.code, said.out) == (0, f"{out}: 12 images, {out.stat().st_size / 1e6:.1f} MB\n")


def test_pack_warns_of_columns_that_are_not_read(cxrnet, xrays):
    lines = xrays.csv.read_text().splitlines()
    xrays.csv.write_text("\n".join([lines[0] + ",patient-id", *(line + ",s" for line in lines[1:])]))
    said = cxrnet("data", "pack", xrays.csv, "--out", xrays.folder / "xrays.h5", "--height", 64, "--width", 72)
    assert said.code == 0
    assert "WARNING COLUMN column patient-id is not read; --patient-column patient-id would read it" in said.out


def test_pack_of_an_unreadable_file_exits_2_in_one_line(cxrnet, xrays):
    (xrays.folder / "images" / "3.png").write_bytes(b"x")
    said = cxrnet("data", "pack", xrays.csv, "--out", xrays.folder / "xrays.h5")
    assert said.code == 2
    assert "IMAGE line 5: image 3.png" in said.err
    assert said.err.count("\n") == 1


def test_pack_exits_2_for_an_unknown_interpolation(cxrnet, xrays):
    said = cxrnet("data", "pack", xrays.csv, "--out", xrays.folder / "xrays.h5", "--interpolation", "cubic")
    assert said.code == 2
    assert "'cubic' is not one of 'area', 'bilinear'" in said.err


def test_mask_values_can_be_named(cxrnet, xrays):
    image = np.zeros((80, 90), np.uint8)
    image[20:50, 20:60], image[:5] = 1, 255
    cv2.imwrite(str(xrays.folder / "masks" / "3.png"), image)
    words = ("data", "check", xrays.csv, "--similarity", "0.99")
    assert "MASK_VALUES line 5: mask 3.png: the values are 0, 1, 255" in cxrnet(*words).out
    xrays.csv.write_text("\n".join(xrays.csv.read_text().splitlines()[:1] + xrays.csv.read_text().splitlines()[4:5]))
    assert cxrnet(*words, "--void-value", 255).code == 0


@pytest.mark.parametrize("old", ["--leave-out", "--hold-out-source"])
def test_split_by_source(cxrnet, xrays, old):
    out = xrays.folder / "folds.csv"
    said = cxrnet("data", "split", xrays.csv, "--out", out, "--no-merge-duplicates", old, "one", old, "two")
    assert said.code == 2
    assert "source two has no image" in said.err


@pytest.mark.parametrize("verb", ["check", "split", "pack"])
def test_renamed_column_that_is_missing_is_reported(cxrnet, xrays, verb):
    out = () if verb == "check" else ("--out", xrays.folder / "out")
    said = cxrnet("data", verb, xrays.csv, *out, "--label-column", "label4")
    assert said.code == 2
    assert "has no column label4" in said.err


def test_help_loads_no_heavy_library():
    heavy = ("h5py", "matplotlib", "sklearn", "torch", "cv2", "numpy")
    program = f"import sys, cxrnet.cli.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_split_says_what_is_odd_with_its_rows(xrays, cxrnet):
    rows = [{("PatientNr" if name == "patient_id" else name): cell for name, cell in row.items()} for row in xrays.rows]
    rows.append({**rows[0], "image": f"./{rows[0]['image']}", "label": "non-covid"})
    table = write_rows(xrays.folder / "odd.csv", rows)
    said = cxrnet("data", "split", table, "--out", xrays.folder / "f.csv", "--folds", 2, "--no-merge-duplicates")
    assert "ERROR LABELS lines 2, 14: 0.png is labelled covid and non-covid" in said.out
    assert "WARNING COLUMN column PatientNr is not read; --patient-column PatientNr would read it" in said.out
