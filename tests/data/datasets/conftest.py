"""Public collections in miniature, in the layouts of their owners."""

import json

import numpy as np
import pytest
from PIL import Image

from cxrnet.data.datasets.build import build_manifest
from tests.data.conftest import read_rows, write_mask, write_rows, write_xray

LUNG = [{"x": 10, "y": 20}, {"x": 39, "y": 20}, {"x": 39, "y": 59}, {"x": 10, "y": 59}]
HOLE = [{"x": 20, "y": 30}, {"x": 29, "y": 30}, {"x": 29, "y": 39}, {"x": 20, "y": 39}]


@pytest.fixture
def build(tmp_path):
    """Function that builds a manifest and returns what came of it, with its `rows`."""

    def build(layout, folder, **places):
        built = build_manifest(layout, folder, tmp_path / "xrays.csv", **places)
        return built, read_rows(tmp_path / "xrays.csv")

    return build


@pytest.fixture
def jsrt(tmp_path):
    """One raw radiograph of a nodule with two masks, one without nodule or masks, one that is cut short."""
    folder = tmp_path / "jsrt"
    folder.mkdir()
    ramp = np.tile(2 * np.arange(2048), (2048, 1)).astype(">u2")
    ramp.tofile(folder / "JPCLN001.IMG")
    ramp.tofile(folder / "JPCNN002.IMG")
    (folder / "JPCLN003.IMG").write_bytes(b"short")
    for side, columns in (("left lung", slice(600, 900)), ("right lung", slice(100, 400))):
        place = folder / "scr" / "fold1" / "masks" / side
        place.mkdir(parents=True)
        mask = np.zeros((1024, 1024), np.uint8)
        mask[200:800, columns] = 255
        Image.fromarray(mask).save(place / "JPCLN001.gif")
    return folder


@pytest.fixture
def montgomery(tmp_path):
    """Two radiographs with both lungs, one with the left lung only."""
    folder = tmp_path / "MontgomerySet"
    for name in ("MCUCXR_0001_0", "MCUCXR_0104_1", "MCUCXR_0200_1"):
        lungs = write_xray(folder / "CXR_png" / f"{name}.png", 1)
        left, right = lungs.copy(), lungs.copy()
        left[:, :45], right[:, 45:] = False, False
        write_mask(folder / "ManualMask" / "leftMask" / f"{name}.png", left)
        if "0200" not in name:
            write_mask(folder / "ManualMask" / "rightMask" / f"{name}.png", right)
    (folder / "ClinicalReadings").mkdir()
    (folder / "ClinicalReadings" / "MCUCXR_0001_0.txt").write_text("Patient's Sex: F \nPatient's Age: 027Y\nnormal\n")
    return folder


@pytest.fixture
def shenzhen(tmp_path):
    """One radiograph with a mask, one without, and a stray file."""
    folder = tmp_path / "ChinaSet_AllFiles"
    lungs = write_xray(folder / "CXR_png" / "CHNCXR_0001_0.png", 1)
    write_xray(folder / "CXR_png" / "CHNCXR_0327_1.png", 2)
    (folder / "CXR_png" / "notes.txt").write_text("x")
    write_mask(folder / "mask" / "CHNCXR_0001_0_mask.png", lungs)
    (folder / "ClinicalReadings").mkdir()
    (folder / "ClinicalReadings" / "CHNCXR_0327_1.txt").write_text("male 45yrs\nbilateral PTB\n")
    return folder


def version_1(name, annotations):
    image = {"original_filename": name, "filename": f"0{name}", "width": 90, "height": 80}
    return {"dataset": "covid", "image": image, "annotations": annotations}


def version_2(name, annotations):
    slot = {"slot_name": "0", "width": 90, "height": 80, "source_files": [{"file_name": name}]}
    return {"version": "2.0", "item": {"name": name, "path": "/", "slots": [slot]}, "annotations": annotations}


@pytest.fixture
def darwin(tmp_path):
    """Function that writes a radiograph and its annotation in the form of a version, and returns the folder."""
    folder = tmp_path / "darwin"

    def write(name, annotations, form=version_1):
        write_xray(folder / "images" / name, 1)
        path = folder / "annotations" / f"{name.split('.')[0]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(form(name, annotations)))
        return folder

    return write


@pytest.fixture
def covid(tmp_path):
    """Function that writes metadata.csv, the radiographs that it names, and returns the folder."""
    folder = tmp_path / "covid-chestxray-dataset"

    def write(*rows):
        usual = {
            "patientid": "2",
            "offset": "0",
            "finding": "Pneumonia/Viral/COVID-19",
            "view": "PA",
            "modality": "X-ray",
            "folder": "images",
            "filename": "1.png",
            "license": "CC BY",
        }
        write_rows(folder / "metadata.csv", [usual | row for row in rows])
        for row in rows:
            write_xray(folder / "images" / (usual | row)["filename"], 1)
        return folder

    return write
