"""Radiographs to send, a small pipeline, and nodes that run in this process."""

import dataclasses
import shutil
import subprocess
from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.decoders import kept_children
from tests.screening.conftest import chest, dicom, pipeline

__all__ = ["chest", "dicom", "kept_children", "pipeline"]


@pytest.fixture
def sent(dicom):
    """Function that returns a made-up radiograph as a data set, ready to be sent; each has a UID of its own."""

    def make(**attributes):
        study = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "PatientID": "P1"}
        return dcmread(dicom(**study | {"PatientName": "Doe^Jane"} | attributes))

    return make


@pytest.fixture
def node(pipeline, tmp_path):
    """Function that gives a running node in a `with` statement; options of `Node` and `NodeSettings`."""
    from cxrnet.node.node import Node
    from cxrnet.node.settings import Limits, NodeSettings
    from tests.node.senders import copy_objects

    @contextmanager
    def run(*, spool=None, kinds=("seg",), write=copy_objects, destination=None, status_port=None, jobs=1, **options):
        names = {field.name for field in dataclasses.fields(Limits)}
        limits = Limits(**{"min_free_bytes": 0} | {key: options.pop(key) for key in names & options.keys()})
        settings = NodeSettings(**{"title": "CXRNET", "port": 0, "limits": limits} | options)
        running = Node(
            settings,
            spool or tmp_path / "spool",
            pipeline,
            kinds=kinds,
            write=write,
            destination=destination,
            status_port=status_port,
            jobs=jobs,
        )
        with running:
            yield running

    return run


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Path of a certificate for localhost that signed itself, with its key, PEM."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "node.pem"
    words = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", path, "-out", path.with_suffix(".crt")]
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path
