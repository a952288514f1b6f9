from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.data.conftest import decoder, films, one_decoder, read_rows, write_film

__all__ = ["decoder", "films", "one_decoder"]  # fixtures


def test_manifest_says_what_it_found(cxrnet, tmp_path):
    for name in ("COVID", "Normal"):
        write_film(tmp_path / "set" / name / "1.png")
    (tmp_path / "set" / "COVID" / "notes.txt").write_text("x")
    said = cxrnet("data", "manifest", "folders", tmp_path / "set", "--out", tmp_path / "films.csv")
    assert said.code == 0
    assert said.out.splitlines()[:2] == [
        f"{tmp_path / 'films.csv'}: 2 films, 0 with a lung mask",
        "left out 1: not an image by its name",
    ]


def test_manifest_exits_2_for_an_unknown_layout(cxrnet, tmp_path):
    said = cxrnet("data", "manifest", "nih", tmp_path, "--out", tmp_path / "films.csv")
    assert said.code == 2
    assert said.err.startswith("ERROR nih: is not a known layout")


def test_check_exits_0_when_nothing_is_wrong(cxrnet, films):
    said = cxrnet("data", "check", films.csv, "--similarity", "0.99")
    assert said.code == 0
    assert "12 rows, 12 films, 12 masks, 6 groups, 6 patients" in said.out
    assert said.out.endswith("0 errors, 0 warnings, 0 notes\n")


def test_check_exits_1_and_writes_json_when_something_is(cxrnet, films):
    shutil.copy(films.folder / "images" / "0.png", films.folder / "images" / "11.png")
    said = cxrnet("data", "check", films.csv, "--similarity", "0.99", "--json", films.folder / "report.json")
    assert said.code == 1
    assert "ERROR DUPLICATE_LEAK lines 2, 13: 0.png and 11.png look the same" in said.out
    assert json.loads((films.folder / "report.json").read_text())["problems"][0]["lines"] == [2, 13]


def test_check_lists_no_more_than_fits_a_screen(cxrnet, films):
    lines = "".join(f"nix{number}.png\n" for number in range(30))
    films.csv.write_text(f"image\n{lines}")
    said = cxrnet("data", "check", films.csv)
    assert "ERROR and 10 more; --json FILE lists all" in said.out


def test_check_exits_2_without_a_manifest(cxrnet, tmp_path):
    said = cxrnet("data", "check", tmp_path / "nix.csv")
    assert said.code == 2
    assert "nix.csv: is not a readable CSV file" in said.err


def test_split_writes_folds(cxrnet, films):
    out = films.folder / "folds.csv"
    said = cxrnet(
        "data", "split", films.csv, "--out", out, "--folds", 3, "--no-merge-duplicates", "--where", "split=train"
    )
    assert said.code == 0
    assert {row["fold"] for row in read_rows(out)} == {"0", "1", "2"}
    assert len(read_rows(out)) == 8


def test_split_keeps_repeats_together_unless_told_not_to(cxrnet, films):
    said = cxrnet("data", "split", films.csv, "--out", films.folder / "folds.csv", "--folds", 2, "--similarity", "0.99")
    assert said.out.startswith("0 pairs of near-duplicates are kept together")


def test_split_exits_2_for_fewer_groups_than_folds(cxrnet, films):
    said = cxrnet("data", "split", films.csv, "--out", films.folder / "f.csv", "--folds", 7, "--no-merge-duplicates")
    assert said.code == 2
    assert said.err == "ERROR 6 groups cannot fill 7 folds; take fewer folds or add patients\n"


def test_pack_says_what_it_wrote(cxrnet, films):
    out = films.folder / "films.h5"
    said = cxrnet("data", "pack", films.csv, "--out", out, "--height", 64, "--width", 72)
    assert said.code == 0
    assert f"{out}: 12 films" in said.out
    assert "class weights: covid 1.000, non-covid 1.000" in said.out
    again = cxrnet("data", "pack", films.csv, "--out", films.folder / "test.h5", "--like", out, "--where", "split=val")
    assert "test.h5: 4 films" in again.out


def test_pack_exits_2_for_an_unknown_interpolation(cxrnet, films):
    said = cxrnet("data", "pack", films.csv, "--out", films.folder / "films.h5", "--interpolation", "cubic")
    assert said.code == 2
    assert said.err == "ERROR --interpolation cubic: is not known; choose area or bilinear\n"


@pytest.mark.parametrize("verb", ["check", "split", "pack"])
def test_renamed_column_that_is_missing_is_told(cxrnet, films, verb):
    out = () if verb == "check" else ("--out", films.folder / "out")
    said = cxrnet("data", verb, films.csv, *out, "--label-column", "label4")
    assert said.code == 2
    assert "has no column label4" in said.err


def test_help_loads_no_heavy_library():
    heavy = ("h5py", "matplotlib", "sklearn", "torch", "cv2", "numpy")
    program = f"import sys, cxrnet.cli.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
