"""`cxrnet scp`: the node next to a PACS."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from cxrnet.errors import UsageError, require
from cxrnet.node.settings import TLS, Limits, NodeSettings, parse_peer

if TYPE_CHECKING:
    from cxrnet.node.node import Node

MIB = 2**20
_DEFAULTS = NodeSettings()
_LIMITS = _DEFAULTS.limits


def scp(
    spool: Path = typer.Option(..., help="Folder for the queue and the files in it.", show_default=False),
    aet: str = typer.Option(_DEFAULTS.title, help="AE title of the node."),
    port: int = typer.Option(_DEFAULTS.port, min=0, max=65535, help="Port; 0 takes a free one."),
    bind: str = typer.Option(_DEFAULTS.bind, help="Address to listen on; 0.0.0.0 for all."),
    bundle: str = typer.Option("covid", "--bundle", "-b", help="Model bundle: a name or a path."),
    save: str = typer.Option("seg,sr,sc,gsps", help="Comma-separated objects: seg, sr, sc, gsps."),
    forward: str | None = typer.Option(
        None, help="Destination: AET@host:port or https://host/dicom-web.", show_default="keep in the spool"
    ),
    forward_tls: bool = typer.Option(False, "--forward-tls", help="Encrypt C-STORE to AET@host:port."),
    forward_ca: Path | None = typer.Option(
        None, help="CA bundle (PEM) for verifying the destination.", show_default="the system's"
    ),
    allow_aet: list[str] = typer.Option([], help="Calling AE title to accept (repeatable).", show_default="any"),
    allow_peer: list[str] = typer.Option(
        [], help="Address or network to accept (repeatable).", show_default="any on loopback"
    ),
    tls_cert: Path | None = typer.Option(None, help="Certificate of the node (PEM).", show_default=False),
    tls_key: Path | None = typer.Option(
        None, help="Key of the certificate (PEM), if not in the same file.", show_default=False
    ),
    tls_ca: Path | None = typer.Option(
        None, help="CA bundle (PEM) for verifying client certificates.", show_default=False
    ),
    status_port: int | None = typer.Option(
        None, min=0, max=65535, help="Port of the status page on loopback.", show_default=False
    ),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, max=64, help="Number of parallel workers."),
    max_instance_mb: int = typer.Option(
        _LIMITS.max_instance_bytes // MIB, min=1, max=2048, help="Largest instance to accept (MiB)."
    ),
    max_queue: int = typer.Option(_LIMITS.max_queue, min=1, max=10**9, help="Maximum number of waiting instances."),
    min_free_mb: int = typer.Option(
        _LIMITS.min_free_bytes // MIB, min=0, max=10**9, help="Reject new instances below this free disk space (MiB)."
    ),
    max_associations: int = typer.Option(
        _LIMITS.max_associations, min=1, max=1000, help="Maximum number of associations at once."
    ),
    timeout: float = typer.Option(_LIMITS.timeout, min=1, max=86_400, help="Network timeout in seconds."),
    max_attempts: int = typer.Option(_LIMITS.max_attempts, min=1, max=10**9, help="Maximum delivery attempts."),
    attempts: int | None = typer.Option(None, "--attempts", min=1, max=10**9, hidden=True),
    keep_days: float = typer.Option(
        _LIMITS.keep_days, min=0, max=36_500, help="Days to keep failed files and finished rows."
    ),
    status: bool = typer.Option(False, "--status", help="Print queue status and exit."),
    retry: bool = typer.Option(False, "--retry", help="Re-queue failed instances and exit."),
) -> None:
    """Run a Storage SCP: receive radiographs, screen them and forward the results. Stop with Ctrl-C.

    It listens on this machine only unless --bind says otherwise. Logs and status name no patient.
    """
    with require("dicom", "scp"):
        import dicomweb_client  # noqa: F401
        import highdicom  # noqa: F401
        import pynetdicom  # noqa: F401
    if status or retry:
        _look(spool, retry=retry)
        return
    from cxrnet.node.log import configure_logging
    from cxrnet.node.node import Node
    from cxrnet.node.objects import OBJECTS
    from cxrnet.node.storage_scu import parse_destination
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.pipeline import Pipeline
    from cxrnet.screening.saves import parse_saves

    tls = TLS(certificate=tls_cert, key=tls_key, authorities=tls_ca)
    settings = NodeSettings(
        title=aet,
        bind=bind,
        port=port,
        titles=tuple(allow_aet),
        peers=tuple(parse_peer(peer) for peer in allow_peer),
        tls=tls,
        limits=Limits(
            max_instance_bytes=max_instance_mb * MIB,
            max_queue=max_queue,
            min_free_bytes=min_free_mb * MIB,
            max_associations=max_associations,
            timeout=timeout,
            max_attempts=attempts or max_attempts,
            keep_days=keep_days,
        ),
    )
    kinds = parse_saves(save, OBJECTS)
    if not kinds:
        raise UsageError(f"--save: is empty; choose from {', '.join(OBJECTS)}")
    destination = None
    if forward is not None:
        outward = TLS(certificate=tls_cert, key=tls_key, authorities=forward_ca)
        is_encrypted = forward_tls or forward.startswith("https://")
        destination = parse_destination(forward, calling=aet, tls=outward if is_encrypted else None)
    with Pipeline.load(bundle, threads=max(1, cpu_count() // jobs)) as pipeline:
        configure_logging()
        node = Node(settings, spool, pipeline, kinds=kinds, destination=destination, jobs=jobs, status_port=status_port)
        _run(node)


def _run(node: Node) -> None:
    """Run a node until it receives SIGINT or SIGTERM."""
    ended = threading.Event()

    def end(*_: int | FrameType | None) -> None:
        ended.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with node:
        typer.echo(f"{node.settings.title} listens on {node.settings.bind}:{node.port}")
        if node.status_port is not None:
            typer.echo(f"status on http://127.0.0.1:{node.status_port}/")
        sys.stdout.flush()
        while not ended.wait(1.0):
            pass
        typer.echo("stopping; the queue continues at the next start")


def _look(spool: Path, *, retry: bool) -> None:
    """Print the status of a spool, or queue its failed jobs again."""
    from cxrnet.node.spool import Spool
    from cxrnet.node.status import report

    if not (spool / "queue.db").is_file():
        raise UsageError(f"{spool}: has no queue; give the --spool of a node that has run")
    place = Spool(spool)
    queue = place.open_queue()
    try:
        if retry:
            ready = frozenset(job.name for job in queue.rows("failed") if place.objects(job.name))
            typer.echo(f"{queue.retry_failed(screened=ready)} jobs queued again")
        else:
            is_running = "in use by a node" if place.is_locked() else "not in use"
            typer.echo(report(place, queue, head=f"cxrnet spool {spool}, {is_running}"), nl=False)
    finally:
        queue.close()
