"""`cxrnet scp`: the node beside a PACS."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from cxrnet.errors import UsageError

if TYPE_CHECKING:
    from cxrnet.node.node import Node

MIB = 2**20


def scp(
    spool: Path = typer.Option(..., help="Folder for the queue and what waits in it.", show_default=False),
    aet: str = typer.Option("CXRNET", help="AE title by which senders call the node."),
    port: int = typer.Option(11112, min=0, max=65535, help="Port; 0 takes a free one."),
    bind: str = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 for all."),
    bundle: str = typer.Option("covid", "--bundle", "-b", help="Name of a bundle, or its folder."),
    save: str = typer.Option("seg,sr,sc,gsps", help="Comma-separated objects: seg, sr, sc, gsps."),
    forward: str | None = typer.Option(
        None, help="Where objects go: AET@host:port or https://host/dicom-web.", show_default="stay in the spool"
    ),
    forward_tls: bool = typer.Option(False, "--forward-tls", help="Encrypt C-STORE to AET@host:port."),
    forward_ca: Path | None = typer.Option(
        None, help="Authorities that the destination is trusted by, PEM.", show_default="the system's"
    ),
    allow_aet: list[str] = typer.Option([], help="AE title that may call; again for more.", show_default="any"),
    allow_peer: list[str] = typer.Option(
        [], help="Address or network that may call; again for more.", show_default="any on loopback"
    ),
    tls_cert: Path | None = typer.Option(None, help="The node's certificate, PEM.", show_default=False),
    tls_key: Path | None = typer.Option(None, help="Its key, PEM, where not in the same file.", show_default=False),
    tls_ca: Path | None = typer.Option(
        None, help="Authorities, PEM: callers must show a certificate of theirs.", show_default=False
    ),
    status_port: int | None = typer.Option(
        None, min=0, max=65535, help="Port of a status page on loopback.", show_default=False
    ),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, max=64, help="Images worked on at once."),
    max_instance_mb: int = typer.Option(128, min=1, max=2048, help="Largest instance."),
    max_queue: int = typer.Option(10_000, min=1, help="Most instances that wait."),
    min_free_mb: int = typer.Option(1024, min=0, help="Room on the disk below which nothing is taken."),
    max_associations: int = typer.Option(16, min=1, max=1000, help="Most associations at once."),
    timeout: float = typer.Option(60.0, min=1, help="Longest silence of a sender, seconds."),
    attempts: int = typer.Option(100, min=1, help="Times that objects are offered."),
    keep_days: float = typer.Option(30.0, min=0, help="Days that failed files and finished rows are kept."),
    status: bool = typer.Option(False, "--status", help="Say how the node of this spool is doing, and leave."),
    retry: bool = typer.Option(False, "--retry", help="Put what failed back in the line, and leave."),
) -> None:
    """Receive radiographs by C-STORE, screen them, send DICOM objects on. Ends by Ctrl-C or SIGTERM.

    It listens on this machine only unless --bind says otherwise. Logs and status name no patient.
    """
    from cxrnet.errors import require

    with require("dicom", "scp"):
        import dicomweb_client  # noqa: F401
        import highdicom  # noqa: F401
        import pynetdicom  # noqa: F401
    if status or retry:
        _look(spool, retry=retry)
        return
    from cxrnet.node.node import Node
    from cxrnet.node.settings import TLS, Allowance, NodeSettings, parse_peer
    from cxrnet.node.storage_scu import parse_destination
    from cxrnet.screening.pipeline import Pipeline

    tls = TLS(certificate=tls_cert, key=tls_key, authorities=tls_ca)
    settings = NodeSettings(
        title=aet,
        bind=bind,
        port=port,
        titles=tuple(allow_aet),
        peers=tuple(parse_peer(peer) for peer in allow_peer),
        tls=tls,
        allowance=Allowance(
            instance_bytes=max_instance_mb * MIB,
            queued=max_queue,
            free_bytes=min_free_mb * MIB,
            associations=max_associations,
            seconds=timeout,
            attempts=attempts,
            keep_days=keep_days,
        ),
    )
    kinds = _kinds(save)
    goal = None
    if forward is not None:
        outward = TLS(certificate=tls_cert, key=tls_key, authorities=forward_ca)
        is_encrypted = forward_tls or forward.startswith("https://")
        goal = parse_destination(forward, calling=aet, tls=outward if is_encrypted else None)
    with Pipeline.load(bundle, threads=_threads(jobs)) as pipeline:
        be_discreet()
        node = Node(settings, spool, pipeline, kinds=kinds, destination=goal, jobs=jobs, status_port=status_port)
        _run(node)


def _run(node: Node) -> None:
    """Let a node run until it is told to end."""
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
        typer.echo("stopping; what waits is taken up at the next start")


def _look(spool: Path, *, retry: bool) -> None:
    """Print the status of a spool, or put its failures back in the line."""
    from cxrnet.node.spool import Spool
    from cxrnet.node.status import report

    if not (spool / "queue.db").is_file():
        raise UsageError(f"{spool}: holds no queue; give the --spool of a node that has run")
    place = Spool(spool)
    queue = place.open_queue()
    try:
        if retry:
            ready = frozenset(work.name for work in queue.rows("failed") if place.objects(work.name))
            typer.echo(f"{queue.retry(screened=ready)} jobs are in the line again")
        else:
            is_running = "a node is at work here" if place.is_held() else "no node is at work here"
            typer.echo(report(place, queue, head=f"cxrnet spool {spool}, {is_running}"), nl=False)
    finally:
        queue.close()


def _kinds(save: str) -> tuple[str, ...]:
    from cxrnet.node.objects import OBJECTS

    kinds = tuple(dict.fromkeys(part.strip() for part in save.split(",") if part.strip()))
    for kind in kinds:
        if kind not in OBJECTS:
            raise UsageError(f"--save {kind}: is not known; choose from {', '.join(OBJECTS)}")
    if not kinds:
        raise UsageError(f"--save: names nothing; choose from {', '.join(OBJECTS)}")
    return kinds


def _threads(jobs: int) -> int:
    from cxrnet.parallel import cpu_count

    return max(1, cpu_count() // jobs)


def be_discreet() -> None:
    """Log in lines without identifiers, on standard error.

    What pydicom and pynetdicom say for themselves, and the text of exceptions, can quote a file: of those the class
    and the place are told, and nothing else.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("cxrnet")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(logging.INFO)
    for name in ("pydicom", "pynetdicom", "highdicom", "dicomweb_client", "urllib3"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [logging.NullHandler()], False
    warnings.simplefilter("ignore")

    def tell(arguments: threading.ExceptHookArgs) -> None:
        from cxrnet.node.worker import where

        name = arguments.thread.name if arguments.thread else "a thread"
        ours.error("%s ended (%s)", name, where(arguments.exc_value) if arguments.exc_value else "unknown")

    threading.excepthook = tell
