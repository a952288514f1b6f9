import json
import os
import signal
import subprocess
import sys
import time

import pytest


def test_screen_writes_findings_and_says_where(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("screen", chest, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 0
    assert "1 image: 1 scored" in said.out
    assert json.loads((tmp_path / "out" / "chest" / "finding.json").read_text())["status"] == "scored"
    assert (tmp_path / "out" / "findings.csv").is_file()


def test_screen_does_the_rest_when_one_fails(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("screen", "nix.dcm", chest, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 1
    assert said.err.splitlines() == ["ERROR NOT_FOUND nix.dcm: no such file; give an existing file"]
    assert "1 failed, 1 scored" in said.out


def test_screen_exits_0_when_a_xray_is_refused(cxrnet, small_bundle, dicom, tmp_path):
    said = cxrnet("screen", dicom(BodyPartExamined="FOOT"), "-o", tmp_path / "out", "-b", small_bundle)
    assert said.code == 0
    assert "refused" in said.out
    assert "NOT_CHEST" in said.out


def test_screen_saves_what_is_asked_for(cxrnet, small_bundle, chest, tmp_path):
    cxrnet("screen", chest, "--out", tmp_path / "out", "--bundle", small_bundle, "--save", "npz")
    assert [path.name for path in (tmp_path / "out" / "chest").iterdir()] == ["maps.npz"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--save", "gif"), "ERROR --save gif: "),
        (("--bundle", "nix"), "ERROR nix: no bundle of this name"),
        (("--out", "s3://archive/run"), "ERROR s3://archive/run: takes Parquet alone; add --table parquet"),
        (
            ("--out", "s3://archive/run", "--table", "parquet", "--save", "json"),
            "ERROR s3://archive/run: takes no files per image (json); leave out --save",
        ),
    ],
)
def test_screen_exits_2_for_wrong_usage(cxrnet, small_bundle, chest, tmp_path, words, line):
    said = cxrnet("screen", chest, "--out", tmp_path / "out", "--bundle", small_bundle, *words)
    assert said.code == 2
    assert said.err.startswith(line)
    assert len(said.err.splitlines()) == 1


def test_screen_writes_tables_of_partitions_and_no_other_file(cxrnet, small_bundle, chest, tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")
    said = cxrnet("screen", chest, "--out", tmp_path / "out", "--bundle", small_bundle, "--table", "parquet")
    assert said.code == 0
    assert f"1 image: 1 scored; {tmp_path}/out/findings" in said.out
    files = sorted(path.name[:10] for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == ["part-00000", "partitions"]


def test_screen_takes_the_old_names_of_options(cxrnet, small_bundle, chest, tmp_path):
    words = ("screen", chest, "--bundle", small_bundle, "--save", "json", "--out", tmp_path / "out")
    assert cxrnet(*words, "--mend", "--engine", "local").code == 0
    assert cxrnet(*words, "--auto-correct", "--resume").code == 0
    assert "auto-correct" in cxrnet(*words, "--resume").err


@pytest.mark.parametrize("option", ["--backend", "--provider"])
def test_screen_names_the_choices_of_an_option(cxrnet, chest, tmp_path, option):
    said = cxrnet("screen", chest, "--out", tmp_path / "out", option, "nix")
    assert said.code == 2
    assert "'nix'" in said.err
    assert "local" in said.err or "openvino" in said.err


def test_screen_leaves_results_of_an_earlier_run_out(cxrnet, small_bundle, chest, tmp_path):
    for out in ("first", "second"):
        said = cxrnet("screen", tmp_path, "--out", tmp_path / out, "--bundle", small_bundle)
        assert "1 image: 1 scored" in said.out
    assert "first: left out" in said.err


def test_screen_prints_file_names_as_they_are(cxrnet, small_bundle, chest, tmp_path):
    odd = chest.rename(chest.with_name("[red]:bug:[b].png"))
    said = cxrnet("screen", odd, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert odd.name in said.out


def test_screen_exits_2_without_out(cxrnet, chest):
    assert cxrnet("screen", chest).code == 2


def test_screen_exits_1_when_the_folder_cannot_be_written(cxrnet, small_bundle, chest, tmp_path):
    (tmp_path / "out").write_text("in the way")
    said = cxrnet("screen", chest, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 1
    assert "cannot be written" in said.err


@pytest.mark.parametrize("found", [False, True])
def test_process_ends_in_order_while_its_graph_is_still_being_opened(tmp_path, found):
    (tmp_path / "xray.png").write_bytes(b"no xray" if found else b"")
    xray = tmp_path / ("xray.png" if found else "missing.png")
    program = "import sys; sys.argv[0] = 'cxrnet'\nfrom cxrnet.cli import main\nmain()"
    words = ["screen", str(xray), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) <= 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_complete_files_only(small_bundle, chest, tmp_path):
    xrays = tmp_path / "xrays"
    xrays.mkdir()
    for index in range(300):
        (xrays / f"{index:03}.png").write_bytes(chest.read_bytes())
    out = tmp_path / "out"
    words = [sys.executable, "-m", "cxrnet", "screen", str(xrays), "--out", str(out), "--bundle", str(small_bundle)]
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job would pass on that it is ignored
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "020" / "finding.json").is_file():
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    reported, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "stopped after" in reported
    assert not list(out.rglob("*.part"))
    for record in out.glob("*/finding.json"):
        assert json.loads(record.read_text())["status"] == "scored"
        assert (record.parent / "panel.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    rows = (out / "findings.csv").read_text().splitlines()
    assert 10 < len(rows) < 300
