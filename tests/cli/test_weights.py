import json
import shutil
import subprocess
import sys

import pytest

from cxrnet.model import registry


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A data folder of one's own, empty, and a package without models."""
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path))
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "models")
    return tmp_path


def test_list_says_when_it_is_empty(cxrnet, home):
    said = cxrnet("weights", "list")
    assert said.code == 0
    assert said.out.startswith(f"no bundles in {home / 'bundles'}")


def test_list_prints_named_bundles_and_damaged_ones(cxrnet, home, small_bundle):
    shutil.copytree(small_bundle, home / "bundles" / "small")
    shutil.copytree(small_bundle, home / "bundles" / "torn")
    (home / "bundles" / "torn" / "graph.onnx").write_bytes(b"x")
    small, torn = cxrnet("weights", "list").out.splitlines()
    assert small.startswith("small  small 0.1 (")
    assert "damaged: torn: graph.onnx has changed" in torn


def test_list_tells_where_each_comes_from(cxrnet, home, small_bundle):
    for place in ("bundles/own", "models/lungs", "bundles/covid", "models/covid"):
        shutil.copytree(small_bundle, home / place)
    covid, lungs, own = cxrnet("weights", "list").out.splitlines()
    assert covid.endswith(f"[{home / 'bundles'}, overrides the one shipped with cxrnet]")
    assert lungs.endswith("[shipped with cxrnet]")
    assert own.endswith(f"[{home / 'bundles'}]")


@pytest.mark.parametrize(("verb", "name"), [("screen", "covid"), ("segment", "lungs")])
def test_model_that_is_used_by_default(cxrnet, home, small_bundle, chest, tmp_path, verb, name):
    words = (verb, chest, "--out", tmp_path / "out")
    said = cxrnet(*words)
    assert said.code == 2
    assert said.err.startswith(f"ERROR {name}: no bundle of this name in ")
    assert said.err.count("\n") == 1
    shutil.copytree(small_bundle, home / "models" / name)
    assert cxrnet(*words).code == 0


def test_show_prints_the_card(cxrnet, small_bundle):
    said = cxrnet("weights", "show", small_bundle)
    assert said.code == 0
    assert "# small" in said.out


def test_show_prints_the_config_as_json(cxrnet, small_bundle):
    assert json.loads(cxrnet("weights", "show", small_bundle, "--json").out)["name"] == "small"


def test_import_says_what_is_missing(cxrnet, home, tmp_path):
    (tmp_path / "empty").mkdir()
    said = cxrnet("weights", "import", tmp_path / "empty")
    assert said.code == 2
    assert "lacks Module 2 fold 0" in said.err


def test_import_names_the_extra_when_pytorch_is_missing(tmp_path):
    program = "import sys; sys.modules['torch'] = None; from cxrnet.cli import main; main()"
    words = [sys.executable, "-c", program, "weights", "import", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "ERROR weights import: torch is not installed; pip install 'cxrnet[train]'\n"


@pytest.mark.shared
@pytest.mark.slow
def test_import_makes_both_published_bundles(cxrnet, home, shared):
    assert cxrnet("weights", "import", shared / "reference" / "weights").code == 0
    assert sorted(path.name for path in (home / "bundles").iterdir()) == ["published-jms", "published-v7"]
