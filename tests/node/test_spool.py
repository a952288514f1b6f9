import os

import pytest

from cxrnet.errors import NodeError
from cxrnet.node.log import digest
from cxrnet.node.spool import Spool


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def test_a_spool_is_for_its_own_user_alone(spool):
    assert [each.stat().st_mode & 0o777 for each in (spool.folder, spool.incoming, spool.results)] == [0o700] * 3


def test_store_makes_up_the_name_and_writes_all_parts(spool):
    name, size = spool.store((b"ab", memoryview(b"cde")))
    assert spool.source(name).read_bytes() == b"abcde"
    assert size == 5
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_store_leaves_nothing_where_it_fails(spool):
    def parts():
        yield b"ab"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        spool.store(parts())
    assert not list(spool.incoming.iterdir())


def test_sweep_deletes_what_no_row_needs_and_nothing_else(spool):
    queue = spool.open_queue()
    names = {}
    for state in ("received", "screened", "forwarded", "failed"):
        name, size = spool.store((b"x",))
        names[state] = name
        (spool.reset_results(name) / "seg.dcm").write_bytes(b"x")
        number = queue.add(name=name, instance="0" * 12, sender="S", size=size)
        if state == "failed":
            queue.fail(number, "X", "x")
        else:
            queue.mark(number, state)
    assert not list(spool.reset_results(names["forwarded"]).iterdir())  # those of an interrupted run are gone
    spool.store((b"never acknowledged",))
    spool.sweep(queue)
    queue.close()
    assert {path.stem for path in spool.incoming.iterdir()} == {names["received"], names["failed"]}
    assert {path.name for path in spool.results.iterdir()} == {names["screened"], names["failed"]}


@pytest.mark.skipif(os.name != "posix", reason="needs file locks of POSIX")
def test_one_node_holds_a_spool_at_a_time(spool):
    assert not spool.is_locked()
    spool.lock()
    assert spool.is_locked()
    with pytest.raises(NodeError, match="another node uses this spool"):
        Spool(spool.folder).lock()
    spool.unlock()
    assert not spool.is_locked()


def test_a_spool_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NodeError, match="cannot be used as a spool"):
        Spool(tmp_path / "file" / "spool")


def test_digest_is_what_sha256sum_says():
    assert digest("1.2.3").startswith("c47f5b18b8a4")
