from __future__ import annotations

import sqlite3
import subprocess
import sys
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
    assert [queue.begin("received", but=frozenset(numbers[:index])).number for index in range(3)] == numbers


def test_begin_gives_nothing_where_nothing_is_due(queue):
    assert queue.begin("received") is None
    number = add(queue)
    queue.postpone(number, "UNREACHABLE", "nobody there", seconds=60)
    assert queue.begin("received") is None


def test_a_row_that_was_tried_before_waits_for_the_others(queue):
    first, second = add(queue, "a"), add(queue, "b")
    assert [queue.begin("received").number for _ in range(4)] == [first, second, first, second]


def test_begin_counts_the_tries(queue):
    add(queue)
    assert [queue.begin("received").tries for _ in range(3)] == [0, 1, 2]


def test_a_try_that_was_nobodys_fault_does_not_count(queue):
    number = add(queue)
    queue.begin("received")
    queue.postpone(number, "OUTPUT", "full", seconds=0, is_counted=False)
    assert queue.begin("received").tries == 0


def test_advance_begins_the_tries_at_nought_and_forgets_the_reason(queue):
    number = add(queue)
    queue.begin("received")
    queue.postpone(number, "OUTPUT", "full", seconds=0)
    queue.advance(number, "screened", outcome="scored")
    work = queue.begin("screened")
    assert (work.tries, work.code, work.reason, work.outcome) == (0, "", "", "scored")


def test_advance_keeps_the_outcome_where_none_is_given(queue):
    number = add(queue)
    queue.advance(number, "screened", outcome="refused")
    queue.advance(number, "forwarded")
    assert queue.rows("forwarded")[0].outcome == "refused"


def test_fail_ends_a_row_with_a_reason(queue):
    number = add(queue)
    queue.fail(number, "COLOUR", "job 1: colour")
    assert queue.begin("received") is None
    assert queue.reasons() == [("COLOUR", 1)]
    assert queue.counts() == dict.fromkeys(STATES, 0) | {"failed": 1}


def test_retry_forwards_what_was_screened_and_screens_the_rest(queue):
    for name in "ab":
        queue.fail(add(queue, name), "X", "x")
    assert queue.retry(screened=frozenset("b")) == 2
    assert [work.state for work in queue.rows()] == ["received", "screened"]


def test_forget_takes_what_ended_long_ago_and_leaves_what_waits(queue):
    numbers = [add(queue, name) for name in "abc"]
    queue.advance(numbers[0], "forwarded")
    queue.fail(numbers[1], "X", "x")
    assert queue.forget("forwarded", "failed", before=time.time() - 60) == []
    assert [work.name for work in queue.forget("forwarded", "failed", before=time.time() + 1)] == ["a", "b"]
    assert [work.name for work in queue.rows()] == ["c"]


def test_waiting_counts_what_a_step_is_still_to_be_done_for(queue):
    numbers = [add(queue, name) for name in "abc"]
    queue.advance(numbers[0], "screened")
    queue.advance(numbers[1], "forwarded")
    assert queue.waiting() == 2


def test_a_failed_transaction_leaves_nothing(queue, monkeypatch):
    add(queue)
    monkeypatch.setattr(queue, "_select", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        queue.begin("received")
    monkeypatch.undo()
    assert queue.begin("received").tries == 0


def test_a_state_that_is_none_is_refused(queue):
    with pytest.raises(sqlite3.IntegrityError):
        queue.advance(add(queue), "lost")


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"not a database, but long enough to be looked at " * 40)
    with pytest.raises(NodeError, match="cannot be used as a queue"):
        Queue(tmp_path / "queue.db")


def test_a_row_is_there_after_the_program_was_killed_right_behind_it(tmp_path):
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom cxrnet.node.queue import Queue\n"
        "queue = Queue(Path(sys.argv[1]))\n"
        "queue.add(name='a', instance='0' * 12, sender='S', size=1)\nqueue.begin('received')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "queue.db")], check=False)
    assert done.returncode == -9
    queue = Queue(tmp_path / "queue.db")
    assert queue.begin("received").tries == 1
    queue.close()
