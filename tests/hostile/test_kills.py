"""A batch killed at any moment is resumed without loss; and what would be lost is found."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cxrnet.cli import app
from tests.hostile.wreckage import damage_at_the_end, damage_of_files, damage_of_log

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("CXRNET_KILLS", "500"))

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


@pytest.fixture(scope="module")
def unbroken(xrays, small_bundle, tmp_path_factory):
    """An unbroken run of three inputs."""
    folder = tmp_path_factory.mktemp("unbroken") / "out"
    inputs = [xrays / "000.png", xrays / "001.png", "nix.dcm"]
    words = ["screen", *inputs, "--out", folder, "--bundle", small_bundle]
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 1
    return folder


@pytest.fixture
def batch(unbroken, tmp_path):
    """A copy of an unbroken run, and the run."""
    return shutil.copytree(unbroken, tmp_path / "out"), unbroken


def kinds(found):
    return {damage.kind for damage in found}


def test_detector_finds_nothing_in_a_whole_run(batch):
    assert damage_at_the_end(*batch) == []
    assert damage_of_log(batch[0]) == []


def test_detector_finds_a_lost_row(batch):
    table = batch[0] / "findings.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    assert kinds(damage_at_the_end(*batch)) == {"lost"}


def test_detector_finds_a_doubled_row(batch):
    table = batch[0] / "findings.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines, lines[-1]]))
    assert kinds(damage_at_the_end(*batch)) == {"doubled"}


def test_detector_finds_a_torn_row(batch):
    table = batch[0] / "findings.csv"
    table.write_text(table.read_text()[:-40])
    assert "torn" in kinds(damage_at_the_end(*batch))


def test_detector_finds_a_torn_record(batch):
    record = batch[0] / "000" / "finding.json"
    record.write_text(record.read_text()[:-5])
    assert kinds(damage_of_files(*batch)) == {"torn"}


def test_detector_finds_a_torn_picture(batch):
    panel = batch[0] / "000" / "panel.png"
    panel.write_bytes(panel.read_bytes()[:-1])
    assert kinds(damage_of_files(*batch)) == {"torn"}


def test_detector_finds_a_log_that_ran_ahead(batch):
    (batch[0] / "000" / "lungs.png").unlink()
    assert kinds(damage_of_log(batch[0])) == {"lost"}


def test_detector_finds_what_was_left_behind(batch):
    (batch[0] / "000" / ".panel.png.0123abcd.part").write_bytes(b"")
    assert kinds(damage_at_the_end(*batch)) == {"left"}


def killed(xrays, folder, bundle, kills, writer):
    words = [xrays, folder, bundle, kills, 0, writer]
    program = [sys.executable, "-m", "tests.hostile.killer", *map(str, words)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_fork
@pytest.mark.slow
def test_killed_batch_is_resumed_with_nothing_lost_doubled_or_torn(xrays, small_bundle, tmp_path):
    reported = killed(xrays, tmp_path, small_bundle, KILLS, "cxrnet")
    print(json.dumps(reported))
    assert reported["damage"] == []
    assert reported["kills"] == KILLS
    assert reported["batches"] > KILLS / 50


@needs_fork
@pytest.mark.slow
def test_careless_writer_is_found_out_by_the_same_kills(xrays, small_bundle, tmp_path):
    reported = killed(xrays, tmp_path, small_bundle, 40, "naive")
    assert {kind for kind, _ in reported["damage"]} >= {"lost", "torn"}
