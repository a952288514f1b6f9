"""Where results go: an application entity that takes C-STORE, or a DICOMweb server that takes STOW-RS."""

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from cxrnet.errors import PacsError, UsageError
from cxrnet.node.pynetdicom_workarounds import store
from cxrnet.node.settings import TLS, check_title

_PLACE = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:]+\]|[^:@/]+):(?P<port>\d{1,5})")
_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)

TRANSIENT = frozenset(range(0xA700, 0xA800)) | {0x0110, 0x0124}
"""Status of a C-STORE answer that may change: out of resources, processing failure, not authorised."""


class Destination(Protocol):
    """Where results are sent."""

    @property
    def name(self) -> str:
        """Its name in messages, without credentials."""
        ...

    def send(self, files: Sequence[Path]) -> None:
        """Send files, all of them; after a PacsError, sending all again does no harm."""
        ...


class StorageSCU:
    """An application entity that takes C-STORE; without `tls` it is sent to in the open."""

    def __init__(
        self, title: str, host: str, port: int, *, calling: str, tls: TLS | None = None, seconds: float = 60.0
    ) -> None:
        self.title, self.host, self.port = title, host, port
        self.name = f"{title}@{host}:{port}"  # in messages
        self.calling, self.seconds = calling, seconds
        self._tls = None if tls is None else tls.client_context()

    def send(self, files: Sequence[Path]) -> None:
        """Send DICOM files by C-STORE, by one association.

        Codes of a PacsError: UNREACHABLE, REJECTED, NOT_ACCEPTED (this kind of object or transfer syntax), NOT_STORED.
        """
        metas = [read_file_meta_info(path) for path in files]
        association = self._associate(metas)
        try:
            for path, meta in zip(files, metas, strict=True):
                self._store(association, path, meta)
        finally:
            if association.is_established:
                association.release()
            else:
                association.abort()

    def _associate(self, metas: Sequence[FileMetaDataset]) -> Association:
        entity = AE(ae_title=self.calling)
        entity.connection_timeout, entity.acse_timeout = 10, min(30.0, self.seconds)
        entity.dimse_timeout = entity.network_timeout = self.seconds
        entity.add_requested_context("1.2.840.10008.1.1")  # Verification
        for kind, syntax in sorted({(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID) for meta in metas}):
            plain = [each for each in _PLAIN if each != syntax] if UID(syntax) in _PLAIN else []
            entity.add_requested_context(kind, [syntax, *plain])
        try:
            address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][4]
        except OSError as error:
            raise self._error("UNREACHABLE", "no such host", "check its name") from error
        association = entity.associate(
            cast(Any, address[0]),
            self.port,
            ae_title=self.title,
            tls_args=None if self._tls is None else (self._tls, self.host),
        )
        if association.is_established:
            return association
        if association.is_rejected:
            why = getattr(association.acceptor.primitive, "reason_str", "no reason given")
            raise self._error("REJECTED", f"rejected the association ({why})", "check the AE titles there")
        raise self._error("UNREACHABLE", "no association", "is it running, and is this its address?")

    def _store(self, association: Association, path: Path, meta: FileMetaDataset) -> None:
        kind = UID(meta.MediaStorageSOPClassUID).name
        try:
            answer = store(association, path)
        except ValueError as error:  # no presentation context
            remedy = "leave this kind out of --save, or configure it to accept them"
            raise self._error("NOT_ACCEPTED", f"does not take {kind}", remedy, is_final=True) from error
        except RuntimeError as error:  # the association has ended meanwhile
            raise self._error("UNREACHABLE", "the association ended", "it will be tried again") from error
        status = answer.get("Status")
        if status is None:
            raise self._error("UNREACHABLE", f"no answer to a {kind}", "it will be tried again")
        if status != 0 and not 0xB000 <= status < 0xC000:  # B000 to BFFF: stored, with a warning
            is_final = status not in TRANSIENT
            problem = f"did not store a {kind}, status 0x{status:04X}"
            raise self._error("NOT_STORED", problem, "look into its log", is_final=is_final)

    def _error(self, code: str, problem: str, remedy: str, *, is_final: bool = False) -> PacsError:
        return PacsError(code, f"{self.name}: {problem}; {remedy}", is_final=is_final)


def parse_destination(text: str, *, calling: str, tls: TLS | None = None) -> Destination:
    """Return the destination behind `AET@host:port` or `https://host/dicom-web`."""
    if re.match(r"https?://", text):
        from cxrnet.node.dicomweb import DICOMwebServer

        return DICOMwebServer(text, authorities=None if tls is None else tls.authorities)
    found = _PLACE.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"--forward {text}: is not a destination; give AET@host:port or https://host/dicom-web")
    title = check_title(found["title"])
    return StorageSCU(title, found["host"].strip("[]"), int(found["port"]), calling=calling, tls=tls)
