"""Settings of a node: name, addresses, who may send, limits, and TLS of the connections in and out."""

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cxrnet.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# PS3.5 6.2, value representation AE, without the characters that would need quoting in a log.
_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a node accepts; instances beyond that are refused with status 0xA700."""

    max_instance_bytes: int = 128 * 2**20  # maximum size of an instance, as it is sent
    max_queue: int = 10_000  # maximum number of instances that wait to be screened or forwarded
    min_free_bytes: int = 1024 * 2**20  # free space on the disk of the spool below which instances are refused
    max_associations: int = 16  # maximum number of associations at once
    timeout: float = 60.0  # longest silence of a sender, and longest time for one PDU, in seconds
    max_attempts: int = 100  # delivery attempts before an instance fails
    keep_days: float = 30.0  # days after which failed files, and the rows of finished ones, are deleted


@dataclass(frozen=True, kw_only=True)
class TLS:
    """PEM files: the node's certificate and its key, and the authorities whose certificates are trusted."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def server_context(self) -> ssl.SSLContext | None:
        """Return the context of a listener, None without a certificate; with `authorities`, clients must show one."""
        if self.certificate is None:
            if self.authorities is None and self.key is None:
                return None
            raise UsageError("--tls-cert: is missing; --tls-key and --tls-ca need a certificate of the node's own")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return self._loaded(context)

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a connection to another server, whose certificate is always checked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.authorities is None:
            context.load_default_certs()
        return self._loaded(context)

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195, as PS3.15 B.9 asks
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(each) for each in (self.certificate, self.key, self.authorities) if each is not None)
            raise UsageError(f"{files}: cannot be used for TLS ({error}); PEM files are needed") from error
        return context


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """A node's name, address and rules."""

    title: str = "CXRNET"  # AE title; senders must call it by this name
    bind: str = "127.0.0.1"
    port: int = 11112  # port to listen on; 0 takes a free one
    titles: tuple[str, ...] = ()  # calling AE titles to accept; empty accepts any
    peers: tuple[Network, ...] = ()  # networks to accept; empty accepts any
    tls: TLS = field(default_factory=TLS)  # certificates; without one the connection is not encrypted
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for title in (self.title, *self.titles):
            check_title(title)
        if not is_loopback(self.bind) and not self.peers and self.tls.authorities is None:
            raise UsageError(
                f"--bind {self.bind}: everyone who reaches this address could send; name the senders with "
                "--allow-peer, or require client certificates with --tls-ca"
            )


def check_title(title: str) -> str:
    """Return an AE title."""
    if not _TITLE.fullmatch(title):
        raise UsageError(
            f"{title!r}: is not an AE title; 1 to 16 characters of plain ASCII without backslash are accepted"
        )
    return title


def parse_peer(text: str) -> Network:
    """Return the network of an address ("10.1.2.3") or a network ("10.1.0.0/16")."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError(
            f"--allow-peer {text}: is not an address; give one as 10.1.2.3, or a network as 10.1.0.0/16"
        ) from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
