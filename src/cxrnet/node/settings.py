"""What a node is told: names, addresses, who may send, and what sending may cost."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from cxrnet.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# PS3.5 6.2, value representation AE, without the characters that would need quoting in a log.
_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What may be asked of a node; what is more is answered with status 0xA700 or not accepted.

    Args:
        instance_bytes: Largest instance, as it is sent.
        queued: Most instances that wait to be screened or forwarded.
        free_bytes: Room on the disk of the spool below which nothing more is taken.
        associations: Most associations at once.
        seconds: Longest silence of a sender, and longest time for one PDU.
        attempts: Times that results are offered to where they are forwarded.
        keep_days: Days after which failed files, and the rows of finished ones, are deleted.
    """

    instance_bytes: int = 128 * 2**20
    queued: int = 10_000
    free_bytes: int = 1024 * 2**20
    associations: int = 16
    seconds: float = 60.0
    attempts: int = 100
    keep_days: float = 30.0


@dataclass(frozen=True, kw_only=True)
class TLS:
    """Files in PEM form: the node's certificate and its key, and the authorities whose certificates are trusted."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """A node's name, address and rules.

    Args:
        title: AE title; senders must call it by this name.
        bind: Address that it listens on.
        port: Port that it listens on; 0 takes a free one.
        titles: AE titles that may call; empty takes any.
        peers: Networks that may call; empty takes any.
        tls: Certificates; without any the line is not encrypted.
        allowance: What may be asked of it.

    Raises:
        UsageError: A title is none, or everyone on the network could send.
    """

    title: str
    bind: str = "127.0.0.1"
    port: int = 11112
    titles: tuple[str, ...] = ()
    peers: tuple[Network, ...] = ()
    tls: TLS = field(default_factory=TLS)
    allowance: Allowance = field(default_factory=Allowance)

    def __post_init__(self) -> None:
        for title in (self.title, *self.titles):
            check_title(title)
        if not is_loopback(self.bind) and not self.peers and self.tls.authorities is None:
            raise UsageError(
                f"--bind {self.bind}: whoever reaches this address could send; name the senders with --allow-peer, "
                "or ask for their certificates with --tls-ca"
            )


def check_title(title: str) -> str:
    """Return an AE title.

    Raises:
        UsageError: It is none.
    """
    if not _TITLE.fullmatch(title):
        msg = f"{title!r}: is not an AE title; 1 to 16 characters of plain ASCII without backslash are accepted"
        raise UsageError(msg)
    return title


def parse_peer(text: str) -> Network:
    """Return the network behind an address ("10.1.2.3") or a network ("10.1.0.0/16").

    Raises:
        UsageError: It is neither.
    """
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        msg = f"--allow-peer {text}: is not an address; give one as 10.1.2.3, or a network as 10.1.0.0/16"
        raise UsageError(msg) from error


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
