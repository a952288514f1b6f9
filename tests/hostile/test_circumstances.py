"""Full disks, files that go away, links where results should be: what is done stays, and is reported in one line."""

import csv
import json
import shutil
import subprocess
import sys

import cv2
import pytest

from cxrnet.screening.batch import run_batch
from cxrnet.screening.inputs import find_inputs
from cxrnet.screening.options import Options
from tests.decoders import kept_children
from tests.material import draw_xray
from tests.screening.conftest import pipeline

__all__ = ["kept_children", "pipeline"]


def rows(out):
    with (out / "findings.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def few(tmp_path):
    """Folder of six radiographs."""
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), draw_xray(number)[0])
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """Folder on a disk of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_full_disk_is_reported_and_the_run_continues_elsewhere(cxrnet, small_bundle, few, small_disk, tmp_path):
    said = cxrnet("screen", few, "--out", small_disk / "out", "--bundle", small_bundle)
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.startswith("ERROR ")
    assert line.endswith("cannot be written (No space left on device); free space or choose another folder")
    assert not list(small_disk.rglob("*.part"))
    done = list(small_disk.glob("out/*/finding.json"))
    assert 0 < len(done) < 6
    assert all(json.loads(path.read_text())["status"] == "scored" for path in done)
    shutil.copytree(small_disk / "out", tmp_path / "out")
    said = cxrnet("screen", few, "--out", tmp_path / "out", "--bundle", small_bundle, "--resume")
    assert said.code == 0
    assert len(rows(tmp_path / "out")) == 6


def test_file_that_vanishes_fails_alone(pipeline, few, tmp_path):
    items = find_inputs([str(few)]).items
    outcomes = run_batch(pipeline, items, tmp_path / "out", Options(save=frozenset(), jobs=1))
    next(outcomes)
    (few / "5.png").unlink()
    assert [outcome.status for outcome in outcomes] == [*["scored"] * 4, "failed"]
    assert rows(tmp_path / "out")[5]["reasons"] == "NOT_FOUND: 5.png: no such file; give an existing file"


def test_files_of_one_name_in_two_folders_are_both_done(cxrnet, small_bundle, few, tmp_path):
    shutil.copytree(few, tmp_path / "more" / "few")
    said = cxrnet("screen", few, tmp_path / "more", "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 0
    assert len({row["folder"] for row in rows(tmp_path / "out")}) == 12


def test_second_run_into_a_folder_is_refused_and_the_first_continues(pipeline, cxrnet, small_bundle, few, tmp_path):
    items = find_inputs([str(few)]).items
    outcomes = run_batch(pipeline, items, tmp_path / "out", Options(save=frozenset({"json"}), jobs=1))
    next(outcomes)
    said = cxrnet("screen", few, "--out", tmp_path / "out", "--bundle", small_bundle, "--resume")
    assert said.code == 2
    assert "another run is writing there" in said.err
    assert len(list(outcomes)) == 5
    assert len(rows(tmp_path / "out")) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs rights for links")
def test_link_in_the_place_of_a_result_is_replaced_and_not_followed(cxrnet, small_bundle, few, tmp_path):
    (tmp_path / "precious").write_text("untouched")
    (tmp_path / "out" / "0").mkdir(parents=True)
    for name in ("finding.json", "panel.png"):
        (tmp_path / "out" / "0" / name).symlink_to(tmp_path / "precious")
    (tmp_path / "out" / "findings.csv").symlink_to(tmp_path / "precious")
    assert cxrnet("screen", few, "--out", tmp_path / "out", "--bundle", small_bundle).code == 0
    assert (tmp_path / "precious").read_text() == "untouched"


def test_results_within_the_folder_of_the_xrays_are_no_xrays_of_the_next_run(cxrnet, small_bundle, few):
    for words in ([], ["--resume"], []):
        assert cxrnet("screen", few, "--out", few / "out", "--bundle", small_bundle, *words).code == 0
        assert len(rows(few / "out")) == 6


def test_folder_in_the_place_of_the_table_is_reported(cxrnet, small_bundle, few, tmp_path):
    (tmp_path / "out" / "findings.csv").mkdir(parents=True)
    said = cxrnet("screen", few, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "findings.csv: cannot be replaced (Is a directory); remove it or choose another folder" in said.err
