"""A PACS of its own for each run: Debian's Orthanc with its DICOMweb plugin, on loopback, in a temporary folder."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import pytest
import requests

from cxrnet.node.dicomweb import PASSWORD, USER
from tests.cli.conftest import cxrnet
from tests.node.process import scp

__all__ = ["cxrnet", "scp"]

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
NAME, WORD = "tester", "only-on-loopback"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("pacs")


@dataclass
class Orthanc:
    """A running Orthanc: its ports, and the port by which it knows a node."""

    http: int
    dicom: int
    node: int

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def destination(self):
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    def ask(self, path, *, method="GET", **options):
        """Ask Orthanc's own interface, which the product does not use."""
        url = f"http://127.0.0.1:{self.http}{path}"
        answer = requests.request(method, url, auth=(NAME, WORD), timeout=60, **options)
        answer.raise_for_status()
        return answer.json()

    def clear(self):
        for study in self.ask("/studies"):
            self.ask(f"/studies/{study}", method="DELETE")

    def send(self, study):
        """Let Orthanc send a study to the node by C-STORE; an auto-routing rule does the same."""
        found = self.ask("/tools/find", method="POST", json={"Level": "Study", "Query": {"StudyInstanceUID": study}})
        return self.ask("/modalities/node/store", method="POST", json={"Resources": found})


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(scope="session")
def running_orthanc(tmp_path_factory):
    program = shutil.which("Orthanc")
    if program is None or not PLUGIN.is_file():
        pytest.skip("needs Orthanc with its DICOMweb plugin: make test-pacs installs both")
    folder = tmp_path_factory.mktemp("orthanc")
    made = Orthanc(http=free_port(), dicom=free_port(), node=free_port())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": made.http,
        "DicomPort": made.dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {NAME: WORD},
        "OverwriteInstances": True,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {"node": ["CXRNET", "127.0.0.1", made.node]},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(made, process, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(made, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            made.ask("/system")
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(log.read_text(errors="replace")[-2000:])


@pytest.fixture
def orthanc(running_orthanc, monkeypatch):
    """An empty Orthanc, whose credentials are in the environment."""
    monkeypatch.setenv(USER, NAME)
    monkeypatch.setenv(PASSWORD, WORD)
    running_orthanc.clear()
    return running_orthanc


@pytest.fixture(scope="session")
def rg1():
    """Path of RG1, a chest radiograph of pydicom-data."""
    return Path(next(file for file in files("pydicom-data") if file.name == "RG1_UNCR.dcm").locate())
