"""Attacks on the service: other sites, other names, other users, and what a browser may do with its answers."""

import logging

import pytest

from cxrnet.web.application import Application
from cxrnet.web.security import HEADERS
from tests.web.conftest import connected, wait_until_screened

TOKEN = "a-long-token"


@pytest.fixture
def locked(service, static):
    """A client of the service that asks for a token, by its name on the network."""
    application = Application(service, static, hosts=("cxr.hospital",), token=TOKEN)
    with connected(application) as client:
        client.headers["Host"] = "cxr.hospital"
        yield client


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "[::1", "cxr.hospital@evil"])
def test_other_host_names_are_refused(client, host):
    assert client.get("/api/v1/images", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:1234", "[::1]:8000", "LOCALHOST"])
def test_names_of_loopback_are_answered(client, host):
    assert client.get("/api/v1/images", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_change_nothing(client, headers, dicom):
    answer = client.post("/api/v1/images", content=dicom().read_bytes(), headers=headers)
    assert answer.status_code == 403
    assert client.get("/api/v1/images").json()["images"] == []


def test_page_of_the_service_may_upload(client, dicom):
    headers = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/images", content=dicom().read_bytes(), headers=headers).status_code == 201


def test_every_answer_has_the_security_headers(client):
    for path in ("/", "/app.js", "/api/v1/images", "/api/v1/images/7", "/nothing"):
        answer = client.get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    refused = client.get("/", headers={"Host": "evil.example"})
    assert refused.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_policy_allows_no_inline_script():
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_without_the_token_nothing_is_answered(locked):
    assert locked.get("/api/v1/images").status_code == 401
    assert locked.get("/app.js").status_code == 401
    assert locked.get("/api/v1/images", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert locked.get("/api/v1/images", headers={"Cookie": "cxrnet_session=wrong"}).status_code == 401
    assert locked.get("/").headers["Location"] == "/login"


def test_programs_send_the_token_as_bearer(locked):
    assert locked.get("/api/v1/images", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_people_log_in_with_the_token(locked):
    assert locked.post("/login", data={"token": "wrong"}).status_code == 401
    cookie = locked.post("/login", data={"token": TOKEN}).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    session = cookie.split(";")[0]
    assert locked.get("/api/v1/images", headers={"Cookie": session}).status_code == 200


def test_session_over_tls_stays_on_tls(service, static):
    application = Application(service, static, token=TOKEN, is_encrypted=True)
    assert application.guarded.log_in(TOKEN).endswith("; Secure")


def test_logs_and_names_hold_no_identifier(client, dicom, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    content = dicom(PatientID="SECRET-1", PatientName="Secret^Jane").read_bytes()
    entry = client.post("/api/v1/images", content=content).json()
    wait_until_screened(client, entry["number"])
    record = client.get(f"/api/v1/images/{entry['number']}/finding.json").text
    names = " ".join(str(path.relative_to(tmp_path)) for path in (tmp_path / "spool").rglob("*"))
    assert "secret" not in (caplog.text + record + names).lower()


def test_paths_lead_nowhere_else(client, dicom):
    number = client.post("/api/v1/images", content=dicom().read_bytes()).json()["number"]
    for name in ("..%2f..%2fqueue.db", "finding.json", "queue.db", "%2e%2e"):
        assert client.get(f"/api/v1/images/{number}/objects/{name}").status_code in (404, 405)
