import socket
from dataclasses import replace

import pytest
import requests

from cxrnet.errors import NodeError
from cxrnet.node.spool import Spool
from cxrnet.node.status import StatusPage, age, report
from tests.node.senders import eventually, send


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def test_report_counts_states_and_names_reasons(spool):
    queue = spool.open_queue()
    for name, code in (("a", "COLOUR"), ("b", "COLOUR"), ("c", "UNREADABLE")):
        queue.fail(queue.add(name=name, instance="abc", sender="S", size=1), code, f"job: {code.lower()}")
    waiting = queue.add(name="d", instance="abc", sender="S", size=1)
    queue.retry_later(waiting, "OUTPUT", "results cannot be written", seconds=30)
    text = report(spool, queue, head="cxrnet")
    queue.close()
    lines = text.splitlines()
    assert lines[0] == "cxrnet"
    assert "received          1   to be screened, oldest 0 s" in lines
    assert "failed            3   see the reasons" in lines
    assert "  COLOUR             2" in lines
    assert any(line.startswith("failed     job 3, instance abc") for line in lines)
    assert "waits      job 4, 0 attempts: OUTPUT results cannot be written" in lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (90, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_age(seconds, text):
    assert age(seconds) == text


def fail():
    raise ValueError("Doe^Jane")


@pytest.mark.parametrize(
    ("describe", "status", "text"),
    [
        (lambda: ("all is said\n", True), 200, "all is said\n"),
        (lambda: ("all is said\n", False), 503, "all is said\n"),
        (fail, 503, "the status is not available (ValueError)\n"),
    ],
)
def test_a_page_is_plain_text_on_loopback(describe, status, text):
    page = StatusPage(0, describe)
    try:
        answer = requests.get(f"http://127.0.0.1:{page.port}/anything", timeout=10)
    finally:
        page.close()
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(NodeError, match="--status-port"):
        StatusPage(taken.getsockname()[1], lambda: ("", True))


def test_the_page_of_a_node(node, sent):
    with node(status_port=0) as running:
        send(running, sent(PatientName="CANARY"))
        eventually(lambda: running.queue.counts()["screened"])
        answer = requests.get(f"http://127.0.0.1:{running.status_port}/", timeout=10)
        running.settings = replace(running.settings, limits=replace(running.settings.limits, min_free_bytes=10**18))
        full = requests.get(f"http://127.0.0.1:{running.status_port}/", timeout=10)
    assert full.status_code == 503
    assert "FULL" in full.text
    assert answer.status_code == 200
    assert answer.text.startswith("cxrnet node CXRNET on 127.0.0.1:")
    assert "model small 0.1, forwards to nowhere" in answer.text
    assert "CANARY" not in answer.text
