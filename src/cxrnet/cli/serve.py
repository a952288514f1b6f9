"""`cxrnet serve`: the page with a service behind it."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrnet.errors import UsageError, require
from cxrnet.node.settings import Limits, is_loopback

if TYPE_CHECKING:
    from cxrnet.web.service import Service

MIB = 2**20
TOKEN_VARIABLE = "CXRNET_TOKEN"
_LIMITS = Limits()


def serve(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port; 0 takes a free one."),
    bundle: str = typer.Option("covid", "--bundle", "-b", help="Model bundle: a name or a path."),
    compare_with: str | None = typer.Option(
        None, help="Second bundle, whose findings the page shows next to those of the first.", show_default=False
    ),
    spool: Path | None = typer.Option(
        None, help="Folder for the queue and the results.", show_default="in the user's data folder"
    ),
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, max=64, help="Number of parallel workers."),
    allow_host: list[str] = typer.Option(
        [], help="Name by which browsers call the service (repeatable).", show_default="those of loopback"
    ),
    token: str | None = typer.Option(
        None, envvar=TOKEN_VARIABLE, help="Token that clients must send.", show_default="random, none on loopback"
    ),
    tls_cert: Path | None = typer.Option(None, help="Certificate of the service (PEM).", show_default=False),
    tls_key: Path | None = typer.Option(
        None, help="Key of the certificate (PEM), if not in the same file.", show_default=False
    ),
    max_image_mb: int = typer.Option(
        _LIMITS.max_instance_bytes // MIB, min=1, max=2048, help="Largest file to accept (MiB)."
    ),
    max_queue: int = typer.Option(_LIMITS.max_queue, min=1, max=10**9, help="Maximum number of waiting images."),
    min_free_mb: int = typer.Option(
        _LIMITS.min_free_bytes // MIB, min=0, max=10**9, help="Reject images below this free disk space (MiB)."
    ),
    max_per_minute: int = typer.Option(3000, min=1, max=10**9, help="Maximum number of files per minute."),
    dicomweb: str | None = typer.Option(
        None, help="DICOMweb server to fetch studies from; credentials as for `pacs`.", show_default=False
    ),
    ca: Path | None = typer.Option(
        None, help="CA bundle (PEM) for that server, instead of the system's.", show_default=False
    ),
    keep_days: float = typer.Option(30.0, min=0, max=36_500, help="Days to keep finished images."),
    show_identifiers: bool = typer.Option(False, "--show-identifiers", help="Show patient ID and UIDs in findings."),
) -> None:
    """Open the page for radiographs: drop files, see scores, lungs and heat maps. Stop with Ctrl-C.

    It listens on this machine only unless --host says otherwise, and then requires a token. Research use only.
    """
    with require("serve", "serve"):
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    from cxrnet.node.log import configure_logging
    from cxrnet.node.settings import TLS
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.pipeline import Pipeline
    from cxrnet.web.application import Application
    from cxrnet.web.intake import UploadLimits
    from cxrnet.web.service import Service
    from cxrnet.web.static_files import read_static

    is_local = is_loopback(host)
    if not is_local and not allow_host:
        raise UsageError(f"--host {host}: browsers will call the service by a name; give it with --allow-host")
    if not is_local and tls_cert is None:
        raise UsageError(f"--host {host}: images would cross the network unencrypted; give --tls-cert")
    TLS(certificate=tls_cert, key=tls_key).server_context()  # files that cannot be used are refused here
    if token is not None and not token.strip():
        raise UsageError("--token is empty; give a token, or leave the option out")
    if token is None and not is_local:
        token = secrets.token_urlsafe(24)
        typer.echo(f"token: {token}")
    static = read_static()
    limits = UploadLimits(
        image_bytes=max_image_mb * MIB,
        waiting=max_queue,
        free_bytes=min_free_mb * MIB,
        per_minute=max_per_minute,
    )
    studies = None
    if dicomweb is not None:
        from cxrnet.web.studies import Studies

        studies = Studies(dicomweb, authorities=ca)
    threads = max(1, cpu_count() // jobs)
    configure_logging()
    with Pipeline.load(bundle, threads=threads, identifiers=show_identifiers) as pipeline, ExitStack() as stack:
        other = None
        if compare_with is not None:
            other = stack.enter_context(Pipeline.load(compare_with, threads=threads, decoders=pipeline.decoders))
        service = stack.enter_context(
            Service(spool or _default_spool(), pipeline, other=other, jobs=jobs, limits=limits, keep_days=keep_days)
        )
        application = Application(
            service, static, hosts=allow_host, token=token, is_encrypted=tls_cert is not None, studies=studies
        )
        _run(application.guarded, service, host, port, tls_cert, tls_key)


def _default_spool() -> Path:
    """Return the folder where the service keeps its queue and results by default."""
    import platformdirs

    return Path(platformdirs.user_data_dir("cxrnet", appauthor=False)) / "service"


def _run(app: object, service: Service, host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    """Let the service run until it receives a signal."""
    import logging
    import socket

    import uvicorn

    class Server(uvicorn.Server):
        """Ends the streams of events at a signal, because open streams would delay the exit."""

        def handle_exit(self, sig: int, frame: object) -> None:
            service.stopping.set()
            super().handle_exit(sig, frame)  # type: ignore[arg-type]

    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise UsageError(f"--port {port}: cannot listen on {host} ({error.strerror}); choose another") from error
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=None if certificate is None else os.fspath(certificate),
        ssl_keyfile=None if key is None else os.fspath(key),
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        limit_concurrency=128,
        h11_max_incomplete_event_size=16 * 1024,
        lifespan="off",
    )
    scheme = "http" if certificate is None else "https"
    name = f"[{host}]" if ":" in host else host
    typer.echo(f"{scheme}://{name}:{listener.getsockname()[1]}/  (Ctrl-C ends it; research use only)")
    sys.stdout.flush()
    Server(config).run(sockets=[listener])
