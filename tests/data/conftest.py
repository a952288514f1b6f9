"""Radiographs, manifests and public layouts in miniature."""

import csv
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cxrnet.data.manifest import Sample
from cxrnet.imaging import Decoder
from tests.material import draw_xray

SIZE = (80, 90)


def write_xray(path, seed=0, *, height=SIZE[0], width=SIZE[1]):
    """Write a made-up radiograph as PNG (or by the ending of `path`), and return its lungs, bool [height, width]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, lungs = draw_xray(seed, height=height, width=width)
    assert cv2.imwrite(str(path), image)
    return lungs


def write_mask(path, mask):
    """Write a boolean mask as a PNG of 0 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask.astype(np.uint8) * 255)


def write_rows(path, rows):
    """Write a CSV file from dictionaries that all have the same keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def sample(number=0, **changes):
    """Return a row as `read_manifest` gives it, without files."""
    values = {
        "line": number + 2,
        "image": Path(f"{number}.png"),
        "mask": None,
        "label": "covid",
        "group": f"g{number}",
        "patient": None,
        "source": "",
        "view": "",
        "split": "",
        "values": {},
    }
    return Sample(**(values | changes))


@pytest.fixture(scope="session")
def decoder():
    """One decoder for all tests: each takes a while to start."""
    with Decoder() as opened:
        yield opened


@pytest.fixture(autouse=True)
def one_decoder(monkeypatch, decoder):
    """Radiographs are read one at a time by the decoder of all tests; `test_pixels` has the real thing."""
    monkeypatch.setattr("cxrnet.data.reading.Decoder", lambda: nullcontext(decoder))
    monkeypatch.setattr("cxrnet.data.reading.cpu_count", lambda: 1)


@pytest.fixture
def xrays(tmp_path):
    """Twelve radiographs with masks in a manifest, two a patient, half of them covid: `folder`, `csv` and `rows`."""
    rows = []
    for number in range(12):
        lungs = write_xray(tmp_path / "images" / f"{number}.png", number)
        write_mask(tmp_path / "masks" / f"{number}.png", lungs)
        rows.append(
            {
                "image": f"images/{number}.png",
                "mask": f"masks/{number}.png",
                "label": "covid" if number % 4 < 2 else "non-covid",
                "patient_id": f"p{number // 2}",
                "source": "one",
                "split": "train" if number < 8 else "val",
            }
        )
    return SimpleNamespace(folder=tmp_path, csv=write_rows(tmp_path / "xrays.csv", rows), rows=rows)
