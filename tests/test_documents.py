"""What the README and the documents show is run."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pytest

from cxrnet.imaging.radiograph import Fault
from cxrnet.model.registry import SHIPPED, open_bundle
from cxrnet.screening.gate import Code
from cxrnet.screening.options import DEFAULT_BUNDLE
from cxrnet.screening.saves import SAVES
from cxrnet.training.config import CLASSIFIER_PRESETS, ClassifierTraining, read_training
from tests.cli.conftest import cxrnet
from tests.material import draw_xray

__all__ = ["cxrnet"]  # a fixture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def reader(tmp_path, monkeypatch, small_bundle):
    """A folder in which a reader of the README would sit, with a small model under the name of the shipped one."""
    shutil.copytree(small_bundle, tmp_path / "home" / "bundles" / "covid")
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path / "home"))
    chest = next(file for file in files("pydicom-data") if file.name == "RG1_UNCR.dcm").locate()
    shutil.copy(chest, tmp_path / "chest.dcm")
    np.save(tmp_path / "xray.npy", draw_xray(1, height=200, width=220)[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet_runs(reader, snippet):
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})


def test_readme_commands_are_known(cxrnet):
    verbs = set(re.findall(r"^    cxrnet ((?:(?:weights|data|train|evaluate) )?[a-z-]+)", README, flags=re.MULTILINE))
    assert {"screen", "segment", "inspect", "weights import", "data check", "train segmenter", "ensemble"} <= verbs
    for verb in verbs:
        assert cxrnet(*verb.split(), "--help").code == 0


def test_documents_link_to_files_that_exist():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_generated_pages_are_current():
    stale = runpy.run_path(str(ROOT / ".ci" / "reference.py"))["main"](["--check"])
    assert not stale, "run `make docs`"


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert named == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def test_paper_map_names_files_that_exist():
    for name in re.findall(
        r"`([a-z_]+/[a-z_]+\.py|test_[a-z]+\.py)`", (ROOT / "docs" / "explanation" / "method.md").read_text()
    ):
        assert (ROOT / "src" / "cxrnet" / name).exists() or (ROOT / "tests" / name).exists(), name


def test_glossary_has_every_code():
    glossary = (ROOT / "docs" / "reference" / "codes.md").read_text()
    for code in (*Fault, *Code, "INTERNAL"):
        assert f"`{code}`" in glossary


def test_readme_names_every_kind_of_output():
    for name in ("finding.json", "lungs.png", "panel.png", "maps.npz", "npz-full"):
        assert name in README
    assert set(SAVES) == {"json", "png", "npz", "npz-full"}


def demo(out, *more):
    words = [sys.executable, str(ROOT / "examples" / "demo.py"), "--out", str(out), *map(str, more)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_demo_says_in_one_line_that_there_is_no_model(tmp_path):
    done = demo(tmp_path, "--bundle", "nix")
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR nix: no bundle of this name in ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(DEFAULT_BUNDLE not in {path.name for path in SHIPPED.glob("*")}, reason="no model is shipped yet")
def test_demo_scores_a_chest_refuses_a_leg_and_says_where_to_look(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path / "home"))
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "RG1_UNCR.dcm, a chest: scored, calibrated: covid " in done.stdout
    assert "RG3_UNCR.dcm, a leg: refused, no score: NOT_CHEST: " in done.stdout
    for folder in ("RG1_UNCR", "RG3_UNCR"):
        assert f"{tmp_path / folder / 'panel.png'}\n" in done.stdout
        assert (tmp_path / folder / "panel.png").is_file()
    assert json.loads((tmp_path / "RG3_UNCR" / "finding.json").read_text())["scores"] is None


def test_recipe_of_the_bundled_classifier_is_that_of_its_training(tmp_path):
    text = (ROOT / "docs" / "how-to" / "train.md").read_text()
    (recipe,) = re.findall(r"```yaml\n# covid\.yaml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "covid.yaml").write_text(recipe)
    settings = read_training(CLASSIFIER_PRESETS["default"], tmp_path / "covid.yaml", {})
    facts = open_bundle("covid").facts
    assert settings == ClassifierTraining.model_validate_json(json.dumps(facts.training.settings))
