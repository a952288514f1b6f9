"""A node in this process, and pynetdicom as what sends to it and what it sends to."""

import threading

import pytest

from cxrnet.errors import NodeError
from cxrnet.node.storage_scu import StorageSCU
from tests.node.senders import archive, association, copy_objects, eventually, send


def test_what_is_sent_is_screened_and_forwarded_and_leaves_the_spool(node, sent):
    xray = sent()
    with archive() as stored:
        destination = StorageSCU("ARCHIVE", "127.0.0.1", stored.port, calling="CXRNET")
        with node(destination=destination) as running:
            with association(running) as open_one:
                assert open_one.send_c_echo().Status == 0
            assert send(running, xray) == [0]
            eventually(lambda: running.queue.counts()["forwarded"])
            eventually(lambda: not list(running.spool.results.iterdir()))
            assert not list(running.spool.incoming.iterdir())
    assert [dataset.SOPInstanceUID for dataset in stored] == [xray.SOPInstanceUID]
    assert stored[0].PatientName == "Doe^Jane"


def test_a_broken_instance_fails_with_a_reason_and_the_next_is_screened(node, sent):
    broken = sent(Rows=9999)
    with node(kinds=("seg", "sr")) as running:
        assert send(running, broken, sent()) == [0, 0]
        eventually(lambda: running.queue.counts()["failed"] and running.queue.counts()["screened"])
        failed, screened = running.queue.rows("failed")[0], running.queue.rows("screened")[0]
        assert [path.name for path in running.spool.objects(screened.name)] == ["seg.dcm", "sr.dcm"]
    assert failed.code == "UNREADABLE"
    assert failed.reason.startswith("job 1: the pixel data is")


def test_a_second_node_is_kept_out_of_the_spool(node, tmp_path):
    with node(), pytest.raises(NodeError, match="another node uses this spool"), node():
        pass


def test_a_node_whose_port_is_taken_says_so_and_leaves_the_spool_free(node, tmp_path):
    with node() as running:
        other = tmp_path / "other"
        with pytest.raises(NodeError, match="cannot listen"), node(spool=other, port=running.port):
            pass
        with node(spool=other):
            pass


def test_what_is_under_way_when_the_node_ends_is_done_again(node, sent, tmp_path):
    started, proceed = threading.Event(), threading.Event()

    def slow(finding, source, kinds, folder):
        started.set()
        proceed.wait(20)
        return copy_objects(finding, source, kinds, folder)

    with node(write=slow) as running:
        send(running, sent())
        assert started.wait(20)
        running.stop(seconds=0.1)
        proceed.set()
    with node() as running:
        eventually(lambda: running.queue.counts()["screened"])
        assert [len(running.spool.objects(job.name)) for job in running.queue.rows()] == [1]


def test_rows_and_files_go_when_they_have_been_kept_long_enough(node, sent):
    with node() as running:
        send(running, sent(Rows=9999))
        eventually(lambda: running.queue.counts()["failed"])
        assert list(running.spool.incoming.iterdir())
    with node(keep_days=0.0) as running:
        assert sum(running.queue.counts().values()) == 0
        assert not list(running.spool.incoming.iterdir())
