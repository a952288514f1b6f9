"""The built page and a browser; tests that need them skip with the reason where they are missing."""

import time
from contextlib import contextmanager

import httpx
import pytest

from cxrnet.errors import MissingExtraError
from cxrnet.model.registry import open_bundle
from cxrnet.web.application import Application
from cxrnet.web.export import export_file, export_folder
from cxrnet.web.intake import UploadLimits
from cxrnet.web.service import Service
from cxrnet.web.static_files import NAMES, read_static
from tests.decoders import kept_children
from tests.screening.conftest import chest, dicom, pipeline
from tests.web.browser import CHROMIUM, hosted, serving

__all__ = ["chest", "dicom", "kept_children", "pipeline"]

INDEX = (
    b'<html lang="en" data-theme="dark"><meta http-equiv="Content-Security-Policy" content="default-src">'
    b'<link rel="stylesheet" href="style.css"><script src="app.js" defer></script><body></body></html>'
)


@pytest.fixture
def static():
    """Stand-ins for the files of the page."""
    return {name: name.encode() for name in NAMES} | {"index.html": INDEX}


@pytest.fixture
def service(pipeline, tmp_path):
    """A running service with a small model."""
    with Service(tmp_path / "spool", pipeline, limits=UploadLimits(free_bytes=0, image_bytes=2**20)) as running:
        yield running


@pytest.fixture
def client(service, static):
    """A client of the service on loopback."""
    with connected(Application(service, static)) as client:
        yield client


@contextmanager
def connected(application):
    """Give a client of an application that runs behind a real server."""
    with serving(application) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def wait_until_screened(client, number, *, seconds=60):
    """Return an image when it is screened."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        entry = client.get(f"/api/v1/images/{number}").json()
        if entry["status"] not in ("waiting", "screening"):
            return entry
        time.sleep(0.02)
    raise AssertionError(f"image {number} is still {entry['status']}")


@pytest.fixture(scope="session")
def built():
    """The page has been built."""
    try:
        read_static()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def covid():
    return open_bundle("covid")


@pytest.fixture(scope="session")
def chromium(built):
    """A running browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; run `make test-web`")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; run `make test-web`")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(built, covid, tmp_path_factory):
    """The single file."""
    path = tmp_path_factory.mktemp("page") / "cxrnet.html"
    export_file(covid, path)
    return path


@pytest.fixture(scope="session")
def page_host(built, covid, tmp_path_factory):
    """Address of the folder on a host with threads."""
    folder = tmp_path_factory.mktemp("host")
    export_folder(covid, folder)
    with hosted(folder) as address:
        yield address
