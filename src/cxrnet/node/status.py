"""The status of a node, in plain text for people and monitors; it names no patient, study or instance."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from cxrnet.errors import NodeError
from cxrnet.node.queue import Queue
from cxrnet.node.spool import Spool

SHOWN_FAILURES = 5
"""Failures that are listed."""


def report(spool: Spool, queue: Queue, *, head: str) -> str:
    """Return the status, a dozen lines."""
    counts, now = queue.counts(), time.time()
    meanings = {
        "received": "to be screened",
        "screened": "to be forwarded, if there is a destination",
        "forwarded": "done",
        "failed": "see the reasons",
    }
    lines = [head, f"time       {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))}"]
    for state, count in counts.items():
        oldest = queue.rows(state, limit=1)
        waits = f", oldest {age(now - oldest[0].received)}" if state in ("received", "screened") and oldest else ""
        lines.append(f"{state:<10} {count:>8}   {meanings[state]}{waits}")
    lines += [f"  {code:<18} {count}" for code, count in queue.reasons()]
    lines.append(f"disk free  {spool.free_bytes() / 2**30:>8.1f} GiB")
    for work in queue.rows("failed", limit=SHOWN_FAILURES, newest=True):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(work.changed))
        lines.append(f"failed     job {work.number}, instance {work.instance}, {when}: {work.code} {work.reason}")
    waiting = [work for work in queue.rows("received", "screened", limit=SHOWN_FAILURES) if work.code]
    lines += [f"waits      job {work.number}, {work.attempts} attempts: {work.code} {work.reason}" for work in waiting]
    return "\n".join(lines) + "\n"


def age(seconds: float) -> str:
    """Return a duration in its largest unit, for example "3 min"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


class StatusPage:
    """Serves the status on loopback, at any path: 200 if all is well, 503 if not."""

    def __init__(self, port: int, describe: Callable[[], tuple[str, bool]]) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Answer)
        except (OSError, OverflowError) as error:
            raise NodeError(f"--status-port {port}: cannot listen ({error}); choose another") from error
        self._server.describe = describe
        threading.Thread(target=self._server.serve_forever, args=(0.2,), name="status", daemon=True).start()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    describe: Callable[[], tuple[str, bool]]


class _Answer(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        try:
            text, is_well = cast(_Server, self.server).describe()
        except Exception as error:
            text, is_well = f"the status is not available ({type(error).__name__})\n", False
        content = text.encode()
        self.send_response(200 if is_well else 503)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
