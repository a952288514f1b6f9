"""A listener that a peer cannot exhaust: bounds on what pynetdicom reads, keeps and waits for.

pynetdicom 3.0 reads a PDU of any length that its header claims, gathers a message of any size in memory, waits for
the rest of a PDU without a time limit, and does the TLS handshake of every connection in the thread that accepts them.
Each is bounded here.
"""

from __future__ import annotations

import logging
import socket
import time
from functools import partial
from io import BytesIO
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from cxrnet.node.settings import Limits

LOG = logging.getLogger(__name__)

PDU_BYTES = 256 * 2**10
"""Longest PDU that senders are asked to make."""

MAX_PDU_BYTES = 4 * 2**20
"""Longest PDU that is read; the request for an association, which has no limit, stays far below."""

COMMAND_BYTES = 64 * 2**10
"""Longest command set of a message; it holds a dozen short elements."""

OVERRUN = 4
"""Times the largest instance after which a message is no longer waited for."""

WAITING_MESSAGES = 2
"""Messages of one association that are read ahead."""


class LimitedBuffer(BytesIO):
    """Collects the data of a message; beyond `max_bytes` it drops all of it and only counts."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self.received = 0

    @property
    def is_over(self) -> bool:
        """Whether more came than is kept."""
        return self.received > self._max_bytes

    def write(self, data: Any) -> int:
        """Take bytes; an OverflowError ends a sender that does not stop."""
        size = len(data)
        self.received += size
        if self.received > OVERRUN * self._max_bytes:
            raise OverflowError(f"more than {OVERRUN * self._max_bytes} bytes in one message")
        if not self.is_over:
            return super().write(data)
        self.seek(0)
        self.truncate()
        return size


class LimitedMessages(DIMSEServiceProvider):
    """Puts messages together out of PDUs, with bounds on their size and on how many wait."""

    def __init__(self, association: Association, max_instance_bytes: int) -> None:
        super().__init__(association)
        self._instance_bytes = max_instance_bytes

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one PDU; what cannot be understood ends the association."""
        while self.msg_queue.qsize() >= WAITING_MESSAGES and self.assoc.is_established:
            time.sleep(0.002)  # the sender is ahead of the disk: let it wait
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.encoded_command_set = LimitedBuffer(COMMAND_BYTES)
            self.message.data_set = LimitedBuffer(self._instance_bytes)
        try:
            super().receive_primitive(primitive)
        except Exception as error:  # of the library, of any kind, on what a hostile peer sends
            LOG.warning("message not understood (%s); association ended", type(error).__name__)
            self.dul.event_queue.put("Evt19")  # PS3.8 9.2: unrecognised or invalid PDU, answered by A-ABORT


class ConnectionHandler(RequestHandler):
    """Sets up the association of one connection."""

    server: Listener

    def _create_association(self) -> Association:
        association = super()._create_association()
        limits = self.server.limits
        association.dimse = LimitedMessages(association, limits.max_instance_bytes)
        wrapper = cast(AssociationSocket, association.dul.socket)
        cast(socket.socket, wrapper.socket).settimeout(limits.timeout)
        vars(wrapper)["recv"] = partial(receive, wrapper, seconds=limits.timeout)
        return association


class Listener(ThreadedAssociationServer):
    """Accepts connections, each in a thread of its own; takes `limits` in addition to the arguments of its parent."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        self.limits = limits
        options["request_handler"] = ConnectionHandler
        super().__init__(*arguments, **options)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Return a connection; the TLS handshake waits until `finish_request`, in the connection's own thread."""
        connection, address = cast(socket.socket, self.socket).accept()
        connection.settimeout(self.limits.timeout)
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether there is a thread left for this connection; those that never speak hold one as well."""
        if len(self.active_associations) < 2 * self.limits.max_associations + 4:
            return True
        LOG.warning("too many connections; one from %s refused", client_address[0])
        return False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake, then associate."""
        if self.ssl_context is not None:
            request.settimeout(min(10.0, self.limits.timeout))
            request.do_handshake()
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log in one line that a connection failed; what it sent is not repeated."""
        import sys

        kind = sys.exc_info()[0]
        LOG.warning("connection from %s ended (%s)", client_address[0], kind.__name__ if kind else "unknown")


def receive(wrapper: AssociationSocket, size: int, *, seconds: float) -> bytearray:
    """Return `size` bytes from a socket, fewer where it was closed.

    An OSError gives the connection up: the PDU is too long, or does not come in time.
    """
    if size > MAX_PDU_BYTES:
        raise OSError(f"a PDU of {size} bytes")
    connection = wrapper.socket
    content, end = bytearray(), time.monotonic() + seconds
    while connection is not None and len(content) < size:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the rest of a PDU did not come")
        connection.settimeout(left)
        part = connection.recv(min(2**16, size - len(content)))
        if not part:
            break
        content += part
    if connection is not None:
        connection.settimeout(seconds)
    return content
