import socket
import threading
import time

from pynetdicom.transport import AssociationSocket

from cxrnet.node.pynetdicom_workarounds import Checkpoint, reader_paused, store
from tests.node.senders import archive, entity


def test_a_paused_thread_reads_nothing():
    checkpoint, rounds, stop = Checkpoint(), [], threading.Event()

    def read():
        while not stop.is_set():
            checkpoint.wait()
            time.sleep(0.001)  # as between the checkpoint and the look for messages
            rounds.append(1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    for _ in range(20):
        checkpoint.pause()
        before = len(rounds)
        time.sleep(0.003)
        assert len(rounds) == before
        checkpoint.set()
    stop.set()
    checkpoint.set()
    thread.join(5)
    assert rounds


def test_pausing_a_thread_that_has_ended_returns():
    start = time.monotonic()
    Checkpoint().pause(seconds=0.1)
    assert time.monotonic() - start < 1


def test_requests_are_answered_one_after_the_other(sent):
    xray = sent()
    with archive() as stored:
        association = entity().associate("127.0.0.1", stored.port, ae_title="ARCHIVE")
        with reader_paused(association):
            assert association.send_c_echo().Status == 0
        assert [store(association, xray).Status for _ in range(10)] == [0] * 10
        association.release()
    assert association.is_released


def test_the_socket_is_closed_when_nobody_answers(monkeypatch):
    opened = []
    create = AssociationSocket._create_socket
    monkeypatch.setattr(
        AssociationSocket, "_create_socket", lambda *arguments: opened.append(create(*arguments)) or opened[-1]
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        assert not entity().associate("127.0.0.1", taken.getsockname()[1]).is_established
    assert [each.fileno() for each in opened] == [-1]
