import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from cxrnet.errors import NodeError
from cxrnet.node.queue import STATES, Queue


@pytest.fixture
def queue(tmp_path):
    opened = Queue(tmp_path / "queue.db")
    yield opened
    opened.close()


def add(queue, name="a"):
    return queue.add(name=name, instance="0" * 12, sender="SENDER", size=10)


def test_rows_come_out_in_the_order_they_came(queue):
    numbers = [add(queue, name) for name in "abc"]
    assert [queue.claim("received").number for _ in numbers] == numbers
    assert queue.claim("received") is None
    queue.release()
    assert queue.claim("received").number == numbers[0]


def test_a_claim_waits_for_a_row(queue):
    adding = threading.Timer(0.05, add, [queue])
    adding.start()
    assert queue.claim("received", seconds=20) is not None
    adding.join()


def test_a_row_that_waits_for_its_time_is_not_claimed(queue):
    queue.retry_later(add(queue), "UNREACHABLE", "nobody there", seconds=60)
    assert queue.claim("received") is None


def test_a_row_with_more_attempts_waits_for_the_others(queue):
    first, second = add(queue, "a"), add(queue, "b")
    found = []
    for _ in range(4):
        job = queue.claim("received")
        queue.release(job.number)
        found.append((job.number, job.attempts))
    assert found == [(first, 1), (second, 1), (first, 2), (second, 2)]


def test_an_attempt_can_be_left_uncounted(queue):
    number = add(queue)
    queue.claim("received")
    queue.retry_later(number, "OUTPUT", "full", seconds=0, is_counted=False)
    assert queue.claim("received").attempts == 1


def test_mark_resets_attempts_and_reason(queue):
    number = add(queue)
    queue.claim("received")
    queue.retry_later(number, "OUTPUT", "full", seconds=0)
    queue.mark(number, "screened", outcome="scored")
    job = queue.claim("screened")
    assert (job.attempts, job.code, job.reason, job.outcome) == (1, "", "", "scored")
    queue.mark(number, "forwarded")
    assert queue.rows("forwarded")[0].outcome == "scored"


def test_fail_ends_a_row_with_a_reason(queue):
    number = add(queue)
    queue.fail(number, "COLOUR", "job 1: colour")
    assert queue.claim("received") is None
    assert queue.reasons() == [("COLOUR", 1)]
    assert queue.counts() == dict.fromkeys(STATES, 0) | {"failed": 1}


def test_retry_forwards_what_was_screened_and_screens_the_rest(queue):
    for name in "ab":
        queue.fail(add(queue, name), "X", "x")
    assert queue.retry_failed(screened=frozenset("b")) == 2
    assert [job.state for job in queue.rows()] == ["received", "screened"]


def test_delete_finished_leaves_rows_that_wait(queue):
    numbers = [add(queue, name) for name in "abc"]
    queue.mark(numbers[0], "forwarded")
    queue.fail(numbers[1], "X", "x")
    assert queue.delete_finished("forwarded", "failed", before=time.time() - 60) == []
    assert [job.name for job in queue.delete_finished("forwarded", "failed", before=time.time() + 1)] == ["a", "b"]
    assert [job.name for job in queue.rows()] == ["c"]


def test_waiting_counts_received_and_screened_rows(queue):
    numbers = [add(queue, name) for name in "abc"]
    queue.mark(numbers[0], "screened")
    queue.mark(numbers[1], "forwarded")
    assert queue.waiting() == 2


def test_a_file_that_is_not_a_database_is_refused(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"not a database, but long enough to be looked at " * 40)
    with pytest.raises(NodeError, match="cannot be used as a queue"):
        Queue(tmp_path / "queue.db")


def test_a_row_is_there_after_the_program_was_killed_right_behind_it(tmp_path):
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom cxrnet.node.queue import Queue\n"
        "queue = Queue(Path(sys.argv[1]))\n"
        "queue.add(name='a', instance='0' * 12, sender='S', size=1)\nqueue.claim('received')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "queue.db")], check=False)
    assert done.returncode == -9
    queue = Queue(tmp_path / "queue.db")
    assert queue.claim("received") is None
    queue.release()  # as a node does at its start
    assert queue.claim("received").attempts == 2
    queue.close()


def test_a_queue_of_an_earlier_version_is_brought_up_to_date(tmp_path):
    connection = sqlite3.connect(tmp_path / "queue.db")
    connection.executescript(
        """
        CREATE TABLE work (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, instance TEXT NOT NULL,
            sender TEXT NOT NULL, bytes INTEGER NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '',
            code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
            due REAL NOT NULL, received REAL NOT NULL, changed REAL NOT NULL
        );
        CREATE INDEX work_by_state ON work (state, due, number);
        INSERT INTO work (name, instance, sender, bytes, state, tries, due, received, changed)
        VALUES ('a', '0', 'S', 1, 'received', 3, 0, 0, 0);
        """
    )
    connection.close()
    queue = Queue(tmp_path / "queue.db")
    assert queue.claim("received").attempts == 4
    queue.close()
