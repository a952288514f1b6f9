import logging
import sqlite3
import threading
from dataclasses import replace

import pytest

from cxrnet.errors import CxrNetError, OutputError, PacsError
from cxrnet.node.log import error_location
from cxrnet.node.spool import Spool
from cxrnet.node.worker import MAX_STARTS, ForwardingTask, ScreeningTask, Worker
from tests.node.senders import copy_objects, eventually


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


@pytest.fixture
def queue(spool):
    opened = spool.open_queue()
    yield opened
    opened.close()


def put(spool, queue, content):
    """Receive a file; return its row as the first step gets it."""
    name, size = spool.store((content,))
    queue.add(name=name, instance="0" * 12, sender="S", size=size)
    return queue.claim("received")


@pytest.fixture
def screener(pipeline, queue, spool):
    def make(write=copy_objects):
        return ScreeningTask(pipeline, queue, spool, kinds=("seg",), write=write)

    return make


def test_a_refused_xray_is_screened_by_the_number_of_its_job_and_its_source_goes(screener, spool, queue, dicom):
    seen = []

    def look(finding, source, kinds, folder):
        seen.append((finding.input, finding.radiograph.name))
        return copy_objects(finding, source, kinds, folder)

    job = put(spool, queue, dicom(BodyPartExamined="FOOT").read_bytes())
    screener(look)(job)
    assert queue.rows("screened")[0].outcome == "refused"
    assert seen == [("job 1", "job 1")]
    assert not spool.source(job.name).exists()
    assert spool.objects(job.name)


def test_a_broken_file_stays_to_be_looked_at(screener, spool, queue):
    job = put(spool, queue, b"no radiograph")
    screener()(job)
    (failed,) = queue.rows("failed")
    assert failed.code == "UNREADABLE"
    assert failed.reason.startswith("job 1: ")
    assert spool.source(job.name).exists()


def test_objects_that_cannot_be_made_are_a_reason(screener, spool, queue, dicom):
    def write(*_):
        raise CxrNetError("Study Instance UID (0020,000d) is missing; file it under a study first")

    screener(write)(put(spool, queue, dicom().read_bytes()))
    assert queue.rows("failed")[0].code == "OBJECTS"


def test_a_fault_of_our_own_fails_one_instance_and_repeats_nothing_of_it(screener, spool, queue, dicom, caplog):
    caplog.set_level(logging.DEBUG)

    def write(*_):
        raise ValueError("Doe^Jane")

    job = put(spool, queue, dicom().read_bytes())
    screener(write)(job)
    (failed,) = queue.rows("failed")
    assert failed.code == "INTERNAL"
    assert "ValueError at test_worker.py" in failed.reason
    assert "Doe" not in failed.reason + caplog.text
    assert not spool.objects(job.name)


@pytest.mark.parametrize("error", [OutputError("full"), OSError(28, "No space left on device")])
def test_a_full_disk_is_waited_for(screener, spool, queue, dicom, error):
    def write(*_):
        raise error

    job = put(spool, queue, dicom().read_bytes())
    screener(write)(job)
    (waiting,) = queue.rows("received")
    assert (waiting.code, waiting.attempts) == ("OUTPUT", 0)
    assert waiting.not_before > waiting.received + 20
    assert spool.source(job.name).exists()


def test_what_ends_the_program_again_and_again_is_left(screener, spool, queue, dicom):
    put(spool, queue, dicom().read_bytes())
    queue.release()
    for _ in range(MAX_STARTS - 1):
        queue.claim("received")
        queue.release()
    screener()(queue.claim("received"))
    assert queue.rows("failed")[0].code == "DIED"


class Goal:
    """A destination that raises what a test wants, once each, and then takes everything."""

    name = "GOAL"

    def __init__(self, *errors):
        self.errors, self.sent = list(errors), []

    def send(self, files):
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append([path.name for path in files])


def screened(spool, queue):
    job = put(spool, queue, b"x")
    (spool.reset_results(job.name) / "seg.dcm").write_bytes(b"x")
    queue.mark(job.number, "screened", outcome="scored")
    return queue.claim("screened")


def test_forwarding_sends_all_objects_and_clears_up(spool, queue):
    job, destination = screened(spool, queue), Goal()
    ForwardingTask(destination, queue, spool, max_attempts=3)(job)
    assert destination.sent == [["seg.dcm"]]
    assert queue.counts()["forwarded"] == 1
    assert not spool.objects(job.name)


def test_what_was_not_taken_waits_longer_each_time(spool, queue):
    forwarder = ForwardingTask(Goal(*[PacsError("NOT_STORED", "no")] * 3), queue, spool, max_attempts=9)
    job, pauses = screened(spool, queue), []
    for attempts in (1, 2, 3):
        forwarder(replace(job, attempts=attempts))
        row = queue.rows("screened")[0]
        pauses.append(row.not_before - row.changed)
    assert pauses == pytest.approx([2, 4, 8], abs=1)


@pytest.mark.parametrize(("is_final", "attempts"), [(True, 1), (False, 3)])
def test_a_final_answer_or_the_last_attempt_ends_it(spool, queue, is_final, attempts):
    job = screened(spool, queue)
    destination = Goal(PacsError("NOT_STORED", "no", is_final=is_final))
    ForwardingTask(destination, queue, spool, max_attempts=3)(replace(job, attempts=attempts))
    assert queue.rows("failed")[0].code == "NOT_STORED"
    assert spool.objects(job.name)  # for --retry


def test_nobody_there_is_found_out_once_and_not_by_each(spool, queue):
    first, second = screened(spool, queue), screened(spool, queue)
    destination = Goal(PacsError("UNREACHABLE", "no association"))
    forwarder = ForwardingTask(destination, queue, spool, max_attempts=9)
    forwarder(first)
    forwarder(second)
    assert not destination.sent
    waiting = {job.number: job.attempts for job in queue.rows("screened")}
    assert waiting == {first.number: 1, second.number: 0}


def test_results_that_are_gone_are_a_reason(spool, queue):
    job = screened(spool, queue)
    spool.delete(job.name)
    ForwardingTask(Goal(), queue, spool, max_attempts=3)(job)
    assert queue.rows("failed")[0].code == "RESULTS_LOST"


@pytest.mark.parametrize("error", [ValueError("Doe^Jane"), sqlite3.OperationalError("locked"), OSError(28, "full")])
def test_a_step_continues_whatever_happens(spool, queue, error, caplog):
    done, stop = [], threading.Event()
    queue.add(name="a", instance="0" * 12, sender="S", size=1)

    def task(job):
        done.append(job.number)
        if len(done) == 1:
            raise error
        queue.mark(job.number, "forwarded")

    thread = Worker("test", "received", task, queue, stop=stop)
    thread.start()
    eventually(lambda: queue.counts()["forwarded"])
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert "Doe" not in caplog.text


def test_a_row_is_not_given_to_two_threads(spool, queue):
    at_once, most, stop = [], [], threading.Event()
    numbers = [queue.add(name=name, instance="0" * 12, sender="S", size=1) for name in "abcdefgh"]

    def task(job):
        at_once.append(job.number)
        most.append(len(set(at_once)) == len(at_once))
        stop.wait(0.05)
        at_once.remove(job.number)
        queue.mark(job.number, "forwarded")

    threads = [Worker("test", "received", task, queue, stop=stop) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: queue.counts()["forwarded"] == len(numbers))
    stop.set()
    for thread in threads:
        thread.join(5)
    assert all(most)
    assert len(most) == len(numbers)


def test_where_tells_the_class_and_the_line_and_not_the_text():
    with pytest.raises(ValueError, match="Doe") as caught:
        raise ValueError("Doe^Jane")
    assert error_location(caught.value).startswith("ValueError at test_worker.py:")
