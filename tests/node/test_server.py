"""Peers that speak DICOM badly, by raw bytes."""

import contextlib
import socket
import struct
import threading
import time

import pytest

from cxrnet.node.server import MAX_PDU_BYTES, LimitedBuffer
from tests.node.senders import association, entity, eventually, send, store
from tests.node.test_storage_scp import receiver

__all__ = ["receiver"]


def test_a_buffer_keeps_what_fits_and_gives_up_a_sender_that_does_not_stop():
    buffer = LimitedBuffer(10)
    buffer.write(b"123456")
    assert (buffer.getvalue(), buffer.is_over) == (b"123456", False)
    for _ in range(3):
        buffer.write(b"123456")
    assert (buffer.getvalue(), buffer.is_over, buffer.received) == (b"", True, 24)
    with pytest.raises(OverflowError, match="more than 40 bytes"):
        buffer.write(bytes(20))


def connect(made):
    return socket.create_connection(("127.0.0.1", made.port), timeout=20)


def is_closed(connection):
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a PDU that claims 4 GiB": struct.pack(">BBL", 1, 0, 2**32 - 1),
    "a PDU just above the bound": struct.pack(">BBL", 1, 0, MAX_PDU_BYTES + 1),
    "an association request of noise": struct.pack(">BBL", 1, 0, 400) + bytes(range(200)) * 2,
    "data before an association": struct.pack(">BBL", 4, 0, 12) + struct.pack(">LBB", 8, 1, 3) + b"abcdef",
    "an unknown kind of PDU": struct.pack(">BBL", 99, 0, 4) + b"abcd",
    "an empty PDU": struct.pack(">BBL", 1, 0, 0),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.filterwarnings("ignore")
def test_garbage_ends_its_connection_and_nothing_else(receiver, sent, content):
    made = receiver(limits={"timeout": 1.0})
    with connect(made) as connection:
        connection.sendall(content)
        assert is_closed(connection)
    eventually(lambda: is_taken(made, sent()))


def is_taken(made, dataset):
    """Send a data set and return whether it was taken; a busy machine may keep its sender longer than the time-out."""
    with contextlib.suppress(RuntimeError), association(made) as open_one:
        return open_one.is_established and store(open_one, dataset).get("Status") == 0


@pytest.mark.parametrize("content", [b"", struct.pack(">BBL", 1, 0, 400) + bytes(10)], ids=["silent", "stops"])
def test_a_peer_that_does_not_proceed_is_disconnected(receiver, content):
    made = receiver(limits={"timeout": 1.0})
    with connect(made) as connection:
        connection.sendall(content)
        assert is_closed(connection)
    eventually(lambda: made.associations == 0)


def test_a_peer_that_drips_is_disconnected(receiver):
    made = receiver(limits={"timeout": 1.0})
    with connect(made) as connection:
        connection.sendall(struct.pack(">BBL", 1, 0, 400))
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"\x00")
                time.sleep(0.1)
    assert time.monotonic() - start < 6


def test_an_association_without_traffic_is_ended(receiver):
    made = receiver(limits={"timeout": 1.0})
    with association(made) as open_one:
        eventually(lambda: not open_one.is_established, seconds=10)
    eventually(lambda: made.associations == 0)


def fragments(open_one, *parts):
    """Send data set fragments by hand, none of them marked as the last."""
    context = open_one.accepted_contexts[-1].context_id
    for part in parts:
        body = struct.pack(">LBB", len(part) + 2, context, 0) + part
        open_one.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, len(body)) + body)


def command(open_one, content):
    context = open_one.accepted_contexts[-1].context_id
    body = struct.pack(">LBB", len(content) + 2, context, 3) + content
    open_one.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, len(body)) + body)


def test_a_message_that_never_ends_is_cut_off_and_not_kept(receiver):
    made = receiver(limits={"max_instance_bytes": 100_000})
    with association(made) as open_one:
        with contextlib.suppress(ConnectionError, AttributeError):  # its socket is gone
            for _ in range(40):
                fragments(open_one, bytes(16_000))
                time.sleep(0.01)
        eventually(lambda: not open_one.is_established)
    eventually(lambda: made.associations == 0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 40, b"\xff" * 40, bytes(range(256))], ids=["empty", "0", "255", "all"]
)
def test_an_unknown_command_ends_its_association(receiver, sent, content):
    made = receiver()
    with association(made) as open_one:
        command(open_one, content)
        eventually(lambda: not open_one.is_established)
    assert send(made, sent()) == [0]


def test_connections_that_only_sit_there_do_not_use_up_all_threads(receiver, sent):
    made = receiver(limits={"max_associations": 2, "timeout": 2.0})
    before = threading.active_count()
    sitting = [connect(made) for _ in range(40)]
    eventually(lambda: made.associations >= 8)
    assert threading.active_count() - before < 40
    for connection in sitting:
        connection.close()
    eventually(lambda: made.associations == 0)
    assert send(made, sent()) == [0]


def test_tls_that_is_never_greeted_does_not_hold_up_the_others(receiver, sent, certificate):
    import ssl

    from cxrnet.node.settings import TLS

    made = receiver(tls=TLS(certificate=certificate), limits={"timeout": 20.0})
    with connect(made), connect(made):  # neither says hello
        context = ssl.create_default_context(cafile=certificate)
        made_entity = entity()
        open_one = made_entity.associate("127.0.0.1", made.port, ae_title="CXRNET", tls_args=(context, "localhost"))
        assert open_one.is_established
        assert open_one.send_c_store(sent()).Status == 0
        open_one.release()
