"""Every command of the tutorial runs, on artificial images."""

import csv
import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.cli.conftest import cxrnet
from tests.data.conftest import write_mask, write_rows
from tests.material import draw_xray, open_gate

__all__ = ["cxrnet"]  # a fixture

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^    (cxrnet .*)$", PAGE, flags=re.MULTILINE)]
SETTINGS = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
COLUMNS = re.findall(r"```csv\n(.*?)\n", PAGE)
IMAGES, SIZE = 32, (96, 112)


def draw(number):
    """Return an image with the texture of its patient, dense low in the lungs if it is covid, and its lung mask."""
    image, lungs = draw_xray(number, height=SIZE[0], width=SIZE[1])
    rng = np.random.default_rng(1000 + number)
    texture = cv2.GaussianBlur(rng.normal(0, 1, SIZE), (0, 0), 3)
    pixels = image + 25 * texture / texture.std()
    if is_covid(number):
        low = np.arange(SIZE[0])[:, None] > 0.5 * SIZE[0]
        pixels = pixels + 110 * (lungs & low) * (rng.random(SIZE) < 0.5)
    return pixels.clip(0, 255).astype(np.uint8), lungs


def is_covid(number):
    return number // 2 % 2 == 0


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """The folder of a reader with images, two per patient, and the settings that the page shows."""
    rows = []
    for number in range(IMAGES):
        image, lungs = draw(number)
        name = f"{number:04}.png"
        write_mask(tmp_path / "masks" / name, lungs)
        (tmp_path / "images").mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "images" / name), image)
        label, source = ("non-covid", "covid")[is_covid(number)], ("north", "south")[number // 4 % 2]
        row = (f"images/{name}", f"masks/{name}", label, f"p{number // 2:02}", source)
        rows.append(dict(zip(COLUMNS[0].split(","), row, strict=True)))
    write_rows(tmp_path / "images.csv", rows)
    for name, content in SETTINGS.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "gate.onnx").write_bytes(open_gate())  # the bundled one refuses artificial images
    monkeypatch.setattr("cxrnet.model.bundle.SHIPPED_GATE", tmp_path / "gate.onnx")
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def generator():
    """PyTorch's generator as it was."""
    with torch.random.fork_rng():
        yield


def test_page_has_the_whole_way():
    way = [
        " ".join(words[1:3]) if words[1] in ("data", "train", "evaluate", "weights") else words[1] for words in COMMANDS
    ]
    assert way == [
        "data check",
        "data split",
        "train segmenter",
        "ensemble",
        "evaluate segmenter",
        "train classifier",
        "evaluate folds",
        "ensemble",
        "evaluate classifier",
        "weights card",
        "weights show",
        "screen",
    ]
    assert set(SETTINGS) == {"lungs.yaml", "covid.yaml"}
    assert len(COLUMNS) == 1


@pytest.mark.slow
def test_reader_of_the_tutorial_gets_both_models(reader, cxrnet):
    for command in COMMANDS:
        said = cxrnet(*command[1:])
        assert said.code == 0, f"{shlex.join(command)}\n{said.out}{said.err}"
        assert "ERROR" not in said.out + said.err
    dice = json.loads((reader / "reports" / "lungs" / "metrics.json").read_text())["overall"]["dice"]
    assert dice["value"] > 0.7
    folds, kept_out = (
        json.loads((reader / "reports" / name / "metrics.json").read_text()) for name in ("folds", "covid")
    )
    assert folds["overall"]["n"] == 24
    assert min(folds["folds"]["roc_auc"]["values"]) > 0.7
    assert kept_out["overall"]["n"] == 8
    assert kept_out["overall"]["roc_auc"]["value"] > 0.7
    with (reader / "results" / "findings.csv").open(newline="") as file:
        found = [row["status"] for row in csv.DictReader(file)]
    assert len(found) == IMAGES
    assert set(found) <= {"scored", "refused"}
    assert found.count("scored") >= IMAGES // 2
    for name in ("folds.csv.png", "runs/lungs/curves.png", "reports/lungs/report.html", "results/0001/panel.png"):
        assert (reader / name).stat().st_size, name
    card = (reader / "bundles" / "covid" / "card.md").read_text()
    assert "out of fold" in card
    assert "kept out" in card
