"""The harness of `make fuzz` finds what it should find, and reads what it should read."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cxrnet.errors import RadiographError
from cxrnet.imaging import Decoder


@pytest.fixture
def harness(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRNET_FUZZ", str(tmp_path))
    place = Path(__file__).parents[2] / "fuzz" / "reader.py"
    spec = importlib.util.spec_from_file_location("fuzz_reader", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_seeds_are_files_that_are_read(harness):
    ends = {name: harness.read(data) for name, data in harness.codec_seeds().items()}
    assert {name: end for name, end in ends.items() if end != "read"} == {"tiff-c8": "UNREADABLE"}  # complex numbers
    assert {"rle", "jpeg", "jpeg_ls", "jpeg_2000", "deflated", "plain", "png", "tiff", "webp", "bmp", "gif"} <= set(
        ends
    )


def test_flipping_finds_nothing_in_the_reader(harness, tmp_path):
    assert harness.flip(60, seed=1) == 0
    reported = json.loads((tmp_path / "figures.json").read_text())
    assert reported["runs"] == 60
    assert sum(reported["ends"].values()) == 60


@pytest.mark.parametrize("error", [KeyError("x"), RadiographError("UNREADABLE", "a line\nand another")])
def test_flipping_finds_what_is_planted(harness, tmp_path, monkeypatch, error):
    def fall(*_):
        raise error

    monkeypatch.setattr(Decoder, "read", fall)
    assert harness.flip(3, seed=1) == 3
    assert list((tmp_path / "found").iterdir())


def test_covering_finds_what_is_planted(harness, monkeypatch):
    def fall(*_, **__):
        raise RadiographError("UNREADABLE", "a line\nand another")

    monkeypatch.setattr("cxrnet.imaging.files._read_source", fall)
    with pytest.raises(AssertionError, match="a line that is not printable"):
        harness.read(b"x")


@pytest.mark.slow
def test_covering_is_guided_by_coverage(tmp_path):
    pytest.importorskip("atheris")
    place = Path(__file__).parents[2] / "fuzz" / "reader.py"
    done = subprocess.run(
        [sys.executable, place, "cover", "--runs", "150"],
        env=os.environ | {"CXRNET_FUZZ": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "is the code instrumented" not in done.stderr.lower()
    kept = [path for path in (tmp_path / "corpus").iterdir() if not path.name.startswith("seed-")]
    assert kept  # inputs that reached new code
