"""Every bad input through every way in: one line, the right code, in time and memory, and the others are done.

Ways in: the command line (one run over all of them), and Python (`Pipeline.screen`).
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from cxrnet import Pipeline
from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Limits
from cxrnet.screening.pipeline import Pipeline as Screener
from tests.hostile.inputs import DONE, REGISTER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, links, limits and /proc of Linux")

FAST = [one for one in REGISTER.values() if not one.is_slow]
SLOW = [one for one in REGISTER.values() if one.is_slow]
SECONDS = 10.0
"""What one input may cost."""

BYTES = 1536 * 2**20
"""Memory that the process may have that reads it."""


def made(inputs, folder):
    """Return name -> path of the inputs, made in folders of their own."""
    paths = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about values that are wrong on purpose
        for one in inputs:
            (folder / one.name).mkdir()
            paths[one.name] = one.make(folder / one.name)
    return paths


def named_by_a_shell(path):
    """Whether a command line can name the path: Linux takes 128 KiB a word."""
    return len(os.fsencode(path)) < 100_000


class Reading:
    """What became of each input in Python, with its seconds, and the most memory that a reader took."""

    def __init__(self, pipeline: Screener, paths: dict[str, Path]) -> None:
        self.codes: dict[str, str] = {}
        self.lines: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.most_bytes: dict[str, int] = {}
        for name, path in paths.items():
            pipeline.read(paths["control"])  # so that a reader is ready: its start is no cost of the input
            decoder = pipeline.decoders._idle[-1]
            process = decoder._child.process.pid if decoder._child else None
            began = time.monotonic()
            with Watch(process) as watch:
                try:
                    self.codes[name], self.lines[name] = DONE, pipeline.screen(path).status
                except RadiographError as error:
                    self.codes[name], self.lines[name] = error.code, str(error)
            self.seconds[name] = time.monotonic() - began
            self.most_bytes[name] = watch.most


class Watch(threading.Thread):
    """Looks at the memory of a process again and again, since one that is killed cannot be asked afterwards."""

    def __init__(self, process: int | None) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._process, self._done = process, threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.01):
            self.look()

    def look(self) -> None:
        self.most = max(self.most, high_water(self._process))

    def __enter__(self) -> Watch:
        self.look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
        self.look()


def high_water(process: int | None) -> int:
    """Return the most memory that a process has had in bytes, 0 where it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return small_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def paths(folder):
    from tests.hostile.inputs.material import png

    control = folder / "control.png"
    control.write_bytes(png())
    return {"control": control} | made(FAST, folder)


@pytest.fixture(scope="module")
def reading(bundle, paths):
    with Pipeline.load(bundle) as pipeline:
        return Reading(pipeline, paths)


def test_matrix_is_large_enough():
    assert len(REGISTER) >= 90
    assert len({one.group for one in REGISTER.values()}) == 6


def test_each_input_ends_in_one_line_and_the_right_code_in_python(reading):
    assert {one.name: reading.codes[one.name] for one in FAST if reading.codes[one.name] not in one.codes} == {}
    assert [line for line in reading.lines.values() if not line.isprintable() or "fault of cxrnet" in line] == []


def test_no_input_takes_too_long_in_python(reading):
    assert {name: seconds for name, seconds in reading.seconds.items() if seconds > SECONDS} == {}


def test_no_input_takes_too_much_memory_in_python(reading):
    assert max(reading.most_bytes.values()) < BYTES


def screened(bundle, paths, out, *words):
    """Return what the command line did with all `paths`: exit code, lines of standard error, rows of the table."""
    named = {name: path for name, path in paths.items() if named_by_a_shell(path)}
    words = ["screen", *(os.fspath(path) for path in named.values()), "--out", out, "--bundle", bundle, *words]
    program = [sys.executable, "-m", "cxrnet", *map(os.fsencode, words)]
    done = subprocess.run(program, capture_output=True, check=False, cwd=out.parent)
    with (out / "findings.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(named)
    return done, dict(zip(named, rows, strict=True))


@pytest.fixture(scope="module")
def run(bundle, paths, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    (place / "sentinel").write_text("untouched")
    return (*screened(bundle, paths, place / "out"), place)


def code_of(row):
    return row["reasons"].split(":")[0] if row["status"] == "failed" else DONE


def test_each_input_has_the_right_row_by_the_command_line(run):
    _, rows, _ = run
    named = [one for one in FAST if one.name in rows]  # no command line can name the others
    assert len(named) > 0.9 * len(FAST)
    assert {one.name: code_of(rows[one.name]) for one in named if code_of(rows[one.name]) not in one.codes} == {}


def test_command_line_does_all_others(run):
    done, rows, _ = run
    assert rows["control"]["status"] == "scored"
    assert done.returncode == 1


def test_command_line_says_one_line_for_each_failure_and_no_traceback(run):
    done, rows, _ = run
    lines = done.stderr.decode("utf-8", "surrogateescape").splitlines()
    assert len(lines) == sum(row["status"] == "failed" for row in rows.values())
    assert all(line.startswith("ERROR ") and line.isprintable() for line in lines)


def test_command_line_writes_nowhere_but_in_its_folder(run, folder):
    _, rows, place = run
    assert {path.name for path in place.iterdir()} == {"out", "sentinel"}
    assert not list(Path("/tmp").glob("cxrnet-escape*"))
    assert not list(folder.rglob("cxrnet-escape*"))
    assert {path.name for path in (place / "out").iterdir()} == {
        "findings.csv",
        "progress.sqlite",
        *(row["folder"] for row in rows.values()),
    }


@pytest.mark.slow
def test_command_line_makes_objects_of_what_can_be_read_and_says_the_same_of_the_rest(bundle, paths, run, tmp_path):
    _, before, _ = run
    done, rows = screened(bundle, paths, tmp_path / "out", "--save", "json,seg,sr,sc,gsps")
    assert {name: row["status"] for name, row in rows.items()} == {name: row["status"] for name, row in before.items()}
    lines = done.stderr.decode("utf-8", "surrogateescape").splitlines()
    assert all(line.startswith("ERROR ") and line.isprintable() for line in lines)
    assert not any(line.startswith("ERROR INTERNAL") for line in lines)
    assert len(list((tmp_path / "out").rglob("*.dcm"))) > 100
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {
        row["folder"] for row in rows.values()
    }


@pytest.mark.slow
@pytest.mark.parametrize("one", SLOW, ids=lambda one: one.name)
def test_heavy_input_ends_in_time_and_memory_both_ways(bundle, tmp_path, one):
    from tests.hostile.inputs.material import png

    control = tmp_path / "control.png"
    control.write_bytes(png())
    paths = {"control": control} | made([one], tmp_path)
    with Pipeline.load(bundle) as pipeline:
        reading = Reading(pipeline, paths)
    assert reading.codes[one.name] in one.codes
    assert reading.seconds[one.name] < SECONDS
    assert reading.most_bytes[one.name] < BYTES
    _, rows = screened(bundle, paths, tmp_path / "out")
    assert code_of(rows[one.name]) in one.codes
    assert rows["control"]["status"] == "scored"


def test_watch_sees_the_memory_of_a_process_that_is_killed():
    program = "import os, signal; data = b'x' * 400_000_000; os.kill(os.getpid(), signal.SIGKILL)"
    process = subprocess.Popen([sys.executable, "-c", program])
    with Watch(process.pid) as watch:
        process.wait()
    assert 300_000_000 < watch.most < 500_000_000


def test_reader_keeps_a_second_for_the_rest():
    assert Limits().seconds <= SECONDS - 1
    assert Limits().memory_bytes <= BYTES


def test_page_has_the_numbers_of_the_matrix():
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "malformed-input.md").read_text()
    shared = Path(__file__).parents[3] / "shared"
    if not shared.is_dir():
        pytest.skip("two inputs come from ../shared, which is not part of the repository")
    assert f"holds {len(REGISTER)} inputs" in page
    for group in ("files", "header", "greyscale", "codecs", "pictures", "paths"):
        count = sum(one.group == group for one in REGISTER.values())
        assert f"| `{group}` | {count} |" in page
