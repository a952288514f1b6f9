"""The whole way: Orthanc sends a study to the node, the node sends objects back, and they are fetched from there."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest
from pydicom import dcmread

from tests.node.senders import eventually

KINDS = {
    "Segmentation Storage": 2,
    "Comprehensive SR Storage": 1,
    "Secondary Capture Image Storage": 1,
    "Grayscale Softcopy Presentation State Storage": 1,
    "Computed Radiography Image Storage": 1,
}


def pulled(cxrnet, orthanc, study, out):
    """Fetch a study and return its data sets by the name of their kind."""
    said = cxrnet("pacs", "pull", "--url", orthanc.url, "--study", study, "--out", out)
    assert said.code == 0, said.err
    found = {}
    for path in sorted(out.rglob("*.dcm")):
        dataset = dcmread(path)
        found.setdefault(dataset.SOPClassUID.name, []).append(dataset)
    return found


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_objects_come_back_from_the_pacs_under_the_same_study(orthanc, scp, cxrnet, rg1, tmp_path, way):
    source = dcmread(rg1)
    assert cxrnet("pacs", "push", rg1, "--url", orthanc.url).code == 0
    destination = orthanc.destination if way == "C-STORE" else orthanc.url
    with scp("--forward", destination, port=orthanc.node) as node:
        assert orthanc.send(source.StudyInstanceUID)["FailedInstancesCount"] == 0
        node.wait_for("forwarded")
    found = pulled(cxrnet, orthanc, source.StudyInstanceUID, tmp_path / "back")
    assert {kind: len(each) for kind, each in found.items()} == KINDS
    for dataset in (each for kind in found.values() for each in kind):
        assert dataset.StudyInstanceUID == source.StudyInstanceUID
        assert (dataset.PatientID, dataset.PatientName) == (source.PatientID, source.PatientName)
    assert len(orthanc.ask("/studies")) == len(orthanc.ask("/patients")) == 1
    assert cxrnet("screen", rg1, "--out", tmp_path / "screened").code == 0
    lungs = cv2.imread(str(tmp_path / "screened" / "RG1_UNCR" / "lungs.png"), cv2.IMREAD_UNCHANGED) > 0
    binary = next(each for each in found["Segmentation Storage"] if each.SegmentationType == "BINARY")
    assert (binary.Rows, binary.Columns) == (source.Rows, source.Columns) == lungs.shape
    assert lungs.any()
    assert np.array_equal(binary.pixel_array > 0, lungs)


def test_a_second_run_replaces_what_the_first_one_stored(orthanc, scp, rg1):
    with scp("--forward", orthanc.destination, "--save", "sr,gsps") as node:
        for count in (1, 2):
            subprocess.run(storescu(node, rg1), check=True, timeout=60)
            node.wait_for("forwarded", count)
    assert orthanc.ask("/statistics")["CountInstances"] == 2


def test_studies_are_found_by_a_query(orthanc, cxrnet, rg1, tmp_path):
    cxrnet("pacs", "push", rg1, "--url", orthanc.url)
    said = cxrnet("pacs", "pull", "--url", orthanc.url, "--query", "StudyDate=20040826", "-o", tmp_path / "back")
    assert (said.code, "1 studies: 1 instances fetched, 0 failed" in said.out) == (0, True)
    (path,) = (tmp_path / "back").rglob("*.dcm")
    assert np.array_equal(dcmread(path).pixel_array, dcmread(rg1).pixel_array)
    assert "20040826" not in str(path)


def test_a_query_that_matches_nothing_fetches_nothing(orthanc, cxrnet, tmp_path):
    said = cxrnet("pacs", "pull", "--url", orthanc.url, "--query", "StudyDate=19000101", "-o", tmp_path / "back")
    assert (said.code, said.out.startswith("0 studies: 0 instances fetched")) == (0, True)


def test_only_the_modality_that_was_asked_for_is_fetched(orthanc, cxrnet, rg1, tmp_path):
    study = dcmread(rg1, stop_before_pixels=True).StudyInstanceUID
    cxrnet("pacs", "push", rg1, "--url", orthanc.url)
    words = ("pacs", "pull", "--url", orthanc.url, "--study", study, "-o", tmp_path / "back")
    assert cxrnet(*words, "--modality", "DX").code == 1
    assert cxrnet(*words, "--modality", "DX", "--modality", "CR").code == 0


def test_wrong_credentials_are_one_line(orthanc, cxrnet, rg1, monkeypatch):
    monkeypatch.setenv("CXRNET_PACS_PASSWORD", "wrong")
    said = cxrnet("pacs", "push", rg1, "--url", orthanc.url)
    assert said.code == 1
    assert said.err.startswith(f"ERROR REFUSED {orthanc.url}: answered 401; set CXRNET_PACS_AUTHORIZATION")
    assert len(said.err.splitlines()) == 1


def test_a_pacs_that_was_away_gets_everything_when_it_is_back(orthanc, scp, rg1, tmp_path):
    """The node offers again; here the port is right only at the second start, which resumes the same spool."""
    with scp("--forward", "ORTHANC@127.0.0.1:9", "--save", "sr") as node:
        subprocess.run(storescu(node, rg1), check=True, timeout=60)
        node.wait_for("screened")
    with scp("--forward", orthanc.destination, "--save", "sr") as node:
        node.wait_for("forwarded")
    assert orthanc.ask("/statistics")["CountInstances"] == 1


def storescu(node, *paths, options=()):
    program = shutil.which("storescu")
    if program is None:
        pytest.skip("needs storescu of dcmtk: apt-get install dcmtk, or make test-pacs")
    return [program, "-aet", "DCMTK", "-aec", "CXRNET", *options, "127.0.0.1", str(node.port), *map(str, paths)]


@pytest.mark.parametrize(
    ("name", "option"), [("RG1_UNCR.dcm", "-xe"), ("RG1_J2KR.dcm", "-xv"), ("RG1_J2KI.dcm", "-xw")]
)
def test_dcmtk_sends_in_several_transfer_syntaxes(scp, rg1, name, option):
    with scp("--save", "sr") as node:
        subprocess.run(storescu(node, rg1.with_name(name), options=(option,)), check=True, timeout=60)
        node.wait_for("screened")
        assert len(list(node.spool.glob("results/*/*.dcm"))) == 1


def test_dcmtk_gets_an_echo(scp):
    program = shutil.which("echoscu") or pytest.skip("needs echoscu of dcmtk: apt-get install dcmtk, or make test-pacs")
    with scp() as node:
        words = [program, "-aet", "DCMTK", "-aec", "CXRNET", "127.0.0.1", str(node.port)]
        assert subprocess.run(words, check=False, timeout=30).returncode == 0
        eventually(lambda: node.process.poll() is None)
