"""What the README and the documents show is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pytest

from cxrnet.imaging.radiograph import Fault
from cxrnet.screening.gate import Code
from cxrnet.screening.outputs import SAVES
from tests.cli.conftest import cxrnet
from tests.material import film

__all__ = ["cxrnet"]  # a fixture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def reader(tmp_path, monkeypatch, small_bundle):
    """A folder in which a reader of the README would sit, with a small model under the published name."""
    shutil.copytree(small_bundle, tmp_path / "home" / "bundles" / "published-v7")
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path / "home"))
    chest = next(file for file in files("pydicom-data") if file.name == "RG1_UNCR.dcm").locate()
    shutil.copy(chest, tmp_path / "chest.dcm")
    np.save(tmp_path / "film.npy", film(1, height=200, width=220)[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet_runs(reader, snippet):
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})


def test_readme_commands_are_known(cxrnet):
    verbs = set(re.findall(r"^    cxrnet ((?:(?:weights|data|train|evaluate) )?[a-z]+)", README, flags=re.MULTILINE))
    assert {"screen", "segment", "inspect", "weights import", "data check", "train segmenter", "ensemble"} <= verbs
    for verb in verbs:
        assert cxrnet(*verb.split(), "--help").code == 0


def test_documents_link_to_files_that_exist():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_paper_map_names_files_that_exist():
    for name in re.findall(r"`([a-z_]+/[a-z_]+\.py|test_[a-z]+\.py)`", (ROOT / "docs" / "paper-map.md").read_text()):
        assert (ROOT / "src" / "cxrnet" / name).exists() or (ROOT / "tests" / name).exists(), name


def test_glossary_has_every_code():
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    for code in (*Fault, *Code, "INTERNAL"):
        assert f"`{code}`" in glossary


def test_readme_names_every_kind_of_output():
    for name in ("finding.json", "lungs.png", "panel.png", "maps.npz", "npz-full"):
        assert name in README
    assert set(SAVES) == {"json", "png", "npz", "npz-full"}


def test_demo_says_what_it_needs_when_no_weights_are_named(tmp_path):
    demo = [sys.executable, str(ROOT / "examples" / "demo.py"), "--out", str(tmp_path)]
    done = subprocess.run(demo, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make demo WEIGHTS=path/to/weights" in done.stdout


@pytest.mark.shared
@pytest.mark.slow
def test_demo_screens_a_chest_and_refuses_a_leg(shared, tmp_path):
    weights = shared / "reference" / "weights"
    demo = [sys.executable, str(ROOT / "examples" / "demo.py"), "--out", str(tmp_path), "--weights", str(weights)]
    done = subprocess.run(demo, capture_output=True, text=True, check=True)
    assert "RG1_UNCR.dcm: scored covid 0.0000" in done.stdout
    assert "RG3_UNCR.dcm: refused NOT_CHEST" in done.stdout
    assert (tmp_path / "RG1_UNCR" / "panel.png").is_file()
