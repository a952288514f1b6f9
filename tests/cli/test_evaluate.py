import csv
import json
import subprocess
import sys

import pytest

from tests.evaluation.material import write_images, write_rows


@pytest.fixture
def images(tmp_path):
    return write_images(tmp_path / "images", count=4)[0]


def test_evaluate_segmenter_writes_the_contract(cxrnet, small_bundle, images, tmp_path):
    out = tmp_path / "out"
    words = ("--bundle", small_bundle, "--manifest", images, "--out", out, "--resamples", 20)
    said = cxrnet("evaluate", "segmenter", *words)
    assert said.code == 0
    assert "4 images: 4 segmented" in said.out
    assert "Dice" in said.out
    names = {path.name for path in out.iterdir()}
    assert names == {"metrics.json", "per_image.csv", "report.html", "dice.png", "worst.png"}
    record = json.loads((out / "metrics.json").read_text())
    assert record["command"].startswith("cxrnet evaluate segmenter --bundle")


def test_evaluate_classifier_takes_rows_and_columns(cxrnet, small_bundle, images, tmp_path):
    out = tmp_path / "out"
    words = ("--bundle", small_bundle, "--manifest", images, "--out", out, "--resamples", 20, "--jobs", 2)
    said = cxrnet("evaluate", "classifier", *words, "--where", "source=north", "--by", "label, view", "--seed", 5)
    assert said.code == 0
    record = json.loads((out / "metrics.json").read_text())
    assert record["manifest"]["where"] == {"source": "north"}
    assert list(record["by"]) == ["label", "view"]
    assert record["bootstrap"]["seed"] == 5
    assert {"confusion.png", "roc.png", "precision_recall.png", "reliability.png", "scores.png"} <= {
        path.name for path in out.iterdir()
    }


@pytest.mark.parametrize("command", ["segmenter", "classifier", "audit"])
def test_warnings_about_the_manifest_stand_with_the_figures(cxrnet, small_bundle, images, tmp_path, command):
    rows = list(csv.DictReader(images.read_text().splitlines()))
    write_rows(images.parent, [row | {"subject": f"s{number}"} for number, row in enumerate(rows)])
    words = ("--bundle", small_bundle, "--manifest", images, "--out", tmp_path / "out", "--resamples", 0)
    more = ("--parts", "stability", "--changes", "reference", "--limit", 2) if command == "audit" else ()
    said = cxrnet("evaluate", command, *words, *more)
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("WARNING")]
    assert "column subject is not read; --patient-column subject would read it" in line
    record = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert record["manifest"]["warnings"] == [line.removeprefix("WARNING ")]
    assert "column subject is not read" in (tmp_path / "out" / "report.html").read_text()


def test_evaluate_exits_1_when_an_image_fails(cxrnet, small_bundle, images, tmp_path):
    (images.parent / "image2.png").write_bytes(b"nothing")
    words = ("--bundle", small_bundle, "--manifest", images, "--out", tmp_path / "out", "--resamples", 20)
    said = cxrnet("evaluate", "segmenter", *words)
    assert said.code == 1
    assert "ERROR UNREADABLE image2.png" in said.err


def test_evaluate_says_in_one_line_what_does_not_fit(cxrnet, small_bundle, images, tmp_path):
    words = ("--bundle", small_bundle, "--manifest", images, "--out", tmp_path / "out", "--label-column", "view")
    said = cxrnet("evaluate", "classifier", *words)
    assert said.code == 2
    assert said.err.strip().splitlines()[-1].startswith("ERROR manifest.csv: line 2 and 1 more: no view; give a class")


@pytest.mark.parametrize("library", ["sklearn.metrics", "jinja2"])
def test_evaluate_names_the_extra_when_a_library_is_missing(images, tmp_path, library):
    program = f"import sys; sys.modules['{library}'] = None; from cxrnet.cli import main; main()"
    words = ["evaluate", "segmenter", "--manifest", str(images), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"ERROR evaluate: {library} is not installed; pip install 'cxrnet[train]'" in done.stderr
