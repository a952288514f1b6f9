"""A node as a user starts it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@pytest.fixture
def scp(tmp_path):
    """Function that gives a running `cxrnet scp`, a process of its own, in a `with` statement."""

    @contextmanager
    def run(*words, spool=None, port=0):
        spool = spool or tmp_path / "spool"
        command = [sys.executable, "-m", "cxrnet", "scp", "--spool", spool, "--port", port, "--min-free-mb", 0, *words]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            assert "listens on" in line, (tmp_path / "log").read_text()
            yield Running(process, int(line.rsplit(":", 1)[1]), spool, tmp_path / "log")
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()

    return run


@dataclass
class Running:
    """A node: its process, port, spool and log."""

    process: subprocess.Popen
    port: int
    spool: Path
    log: Path

    def counts(self):
        from cxrnet.node.spool import Spool

        queue = Spool(self.spool).open_queue()
        try:
            return queue.counts()
        finally:
            queue.close()

    def wait_for(self, state, count=1, *, seconds=120):
        """Wait until so many rows are in a state."""
        end = time.monotonic() + seconds
        while self.counts()[state] < count:
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
