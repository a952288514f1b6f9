from __future__ import annotations

import threading
import time

from cxrnet.node.pynetdicom_workarounds import Checkpoint, echo, store
from tests.node.senders import archive, entity


def test_a_held_thread_stands_still():
    checkpoint, rounds, stop = Checkpoint(), [], threading.Event()

    def read():
        while not stop.is_set():
            checkpoint.wait()
            time.sleep(0.001)  # as between the checkpoint and the look for messages
            rounds.append(1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    for _ in range(50):
        checkpoint.hold()
        before = len(rounds)
        time.sleep(0.003)
        assert len(rounds) == before
        checkpoint.set()
    stop.set()
    checkpoint.set()
    thread.join(5)
    assert rounds


def test_holding_a_thread_that_has_ended_does_not_last():
    start = time.monotonic()
    Checkpoint().hold(seconds=0.1)
    assert time.monotonic() - start < 1


def test_requests_are_answered_one_after_the_other(sent):
    film = sent()
    with archive() as stored:
        association = entity().associate("127.0.0.1", stored.port, ae_title="ARCHIVE")
        assert echo(association).Status == 0
        assert [store(association, film).Status for _ in range(50)] == [0] * 50
        association.release()
    assert association.is_released
