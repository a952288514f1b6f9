"""The harness for masks and manifests finds what it should find."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def harness(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRNET_FUZZ", str(tmp_path))
    place = Path(__file__).parents[2] / "fuzz" / "data.py"
    spec = importlib.util.spec_from_file_location("fuzz_data", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("what", ["masks", "manifests"])
def test_fuzzing_finds_nothing(harness, what):
    assert harness.fuzz(what, 150, seed=1) == 0


@pytest.mark.parametrize(("what", "name"), [("masks", "mask_of"), ("manifests", "scan_manifest")])
def test_fuzzing_finds_what_is_planted(harness, tmp_path, monkeypatch, what, name):
    def fall(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(harness, name, fall)
    assert harness.fuzz(what, 20, seed=1) > 0
    assert list((tmp_path / "found").iterdir())
