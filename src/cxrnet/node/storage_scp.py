"""The Storage SCP: answers C-ECHO and C-STORE, and writes what it receives without reading it."""

import logging
import socket
import sqlite3
import threading
import time
from typing import Any, cast

from pydicom import uid
from pynetdicom import AE, evt
from pynetdicom.dsutils import encode_file_meta
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is imported
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
    Verification,
)

from cxrnet.errors import NodeError
from cxrnet.imaging.attributes import is_uid
from cxrnet.imaging.radiograph import printable
from cxrnet.node.log import digest
from cxrnet.node.queue import Queue
from cxrnet.node.server import PDU_BYTES, LimitedBuffer, Listener
from cxrnet.node.settings import NodeSettings
from cxrnet.node.spool import Spool

LOG = logging.getLogger(__name__)

STORAGE_CLASSES = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,  # scanned and converted radiographs
)
"""Accepted SOP classes: those that chest radiographs are stored as."""

TRANSFER_SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    *uid.JPEGTransferSyntaxes,
    *uid.JPEGLSTransferSyntaxes,
    *uid.JPEG2000TransferSyntaxes,
)
"""Accepted transfer syntaxes; nothing is decoded here."""

SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
"""Status of a C-STORE answer (PS3.4 B.2.3)."""


class StorageSCP:
    """Writes received instances to the spool and adds them to the queue."""

    def __init__(self, settings: NodeSettings, spool: Spool, queue: Queue) -> None:
        self.settings, self._spool, self._queue = settings, spool, queue
        self._listener: Listener | None = None
        self.refused = 0

    def start(self) -> None:
        """Listen."""
        settings = self.settings
        entity = AE(ae_title=settings.title)
        for kind in STORAGE_CLASSES:
            entity.add_supported_context(kind, list(TRANSFER_SYNTAXES))
        entity.add_supported_context(Verification)
        entity.require_called_aet = True
        entity.require_calling_aet = list(settings.titles)
        entity.maximum_associations = settings.limits.max_associations
        entity.maximum_pdu_size = PDU_BYTES
        entity.network_timeout = settings.limits.timeout
        entity.acse_timeout = min(30.0, settings.limits.timeout)
        try:
            address = socket.getaddrinfo(settings.bind, settings.port, type=socket.SOCK_STREAM)[0][4]
            self._listener = cast(
                Listener,
                entity.make_server(
                    cast(Any, address),
                    ssl_context=settings.tls.server_context(),
                    evt_handlers=[(evt.EVT_REQUESTED, self._check_peer), (evt.EVT_C_STORE, self._store)],
                    server_class=Listener,
                    limits=settings.limits,
                ),
            )
        except (OSError, OverflowError) as error:
            raise NodeError(
                f"{settings.bind}:{settings.port}: cannot listen ({error}); choose another --bind or --port"
            ) from error
        entity._servers.append(self._listener)  # so that associations can tell how many there are
        threading.Thread(target=self._listener.serve_forever, args=(0.2,), name="listener", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.server_address[1]) if self._listener else self.settings.port

    @property
    def associations(self) -> int:
        """Associations that are open."""
        return len(self._listener.active_associations) if self._listener else 0

    def stop(self, *, seconds: float = 10.0) -> None:
        """Accept nothing new, give open associations some time to finish, then end them."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        listener.shutdown()
        end = time.monotonic() + seconds
        while listener.active_associations and time.monotonic() < end:
            time.sleep(0.05)
        for association in listener.active_associations:
            association.abort(block=False)
        end = time.monotonic() + 2
        while listener.active_associations and time.monotonic() < end:
            time.sleep(0.05)

    def _check_peer(self, event: Event) -> None:
        """Reject whoever calls from a network that was not named (PS3.8 9.3.4: permanent, no reason given)."""
        from ipaddress import ip_address

        address = cast(Any, event.assoc.requestor).address_info.address
        if self.settings.peers and not any(ip_address(address) in network for network in self.settings.peers):
            LOG.warning("association from %s rejected: not an allowed peer", address)
            self.refused += 1
            event.assoc.acse.send_reject(0x01, 0x01, 0x01)
            event.assoc.kill()

    def _store(self, event: Event) -> int:
        """Write one instance and its row; both are on the disk before the sender gets an answer."""
        try:
            return self._take(event)
        except (OSError, sqlite3.Error) as error:
            LOG.error("instance refused: the spool cannot take it (%s)", type(error).__name__)
        except Exception as error:
            LOG.error("instance refused: internal error in cxrnet (%s)", type(error).__name__)
            return NOT_UNDERSTOOD
        self.refused += 1
        return OUT_OF_RESOURCES

    def _take(self, event: Event) -> int:
        request, limits = cast(Any, event.request), self.settings.limits
        instance = str(request.AffectedSOPInstanceUID)
        sender = printable(str(event.assoc.requestor.ae_title).strip())
        label, content = digest(instance), cast(LimitedBuffer, request.DataSet)
        if content.is_over:
            why = f"{content.received} bytes; at most {limits.max_instance_bytes} are accepted"
            return self._refuse(OUT_OF_RESOURCES, label, sender, why)
        if not content.received or not is_uid(instance):
            return self._refuse(NOT_UNDERSTOOD, label, sender, "no data set, or an invalid SOP Instance UID")
        if self._queue.waiting() >= limits.max_queue:
            return self._refuse(OUT_OF_RESOURCES, label, sender, f"{limits.max_queue} instances are waiting")
        if self._spool.free_bytes() < limits.min_free_bytes + content.received:
            return self._refuse(OUT_OF_RESOURCES, label, sender, "the disk of the spool is full")
        head = b"\x00" * 128 + b"DICM" + encode_file_meta(event.file_meta)
        name, size = self._spool.store((head, content.getbuffer()))
        number = self._queue.add(name=name, instance=label, sender=sender, size=size)
        LOG.info("job %d received: instance %s, %d bytes, from %s", number, label, size, sender)
        return SUCCESS

    def _refuse(self, status: int, label: str, sender: str, why: str) -> int:
        LOG.warning("instance %s from %s refused with status 0x%04X: %s", label, sender, status, why)
        self.refused += 1
        return status
