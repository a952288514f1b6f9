"""The child process that reads files, and how it is started: first of all, so nothing large is imported here."""

import contextlib
import json
import os
import subprocess
import sys
from typing import BinaryIO, NamedTuple, cast

# The child imports from where the parent does; -P keeps modules of the working directory out of it. pydicom would load
# what it downloads its examples with. Collecting garbage while importing finds none.
PROGRAM = (
    "import gc, sys, json; gc.disable(); sys.path[:] = json.loads(sys.argv[1]); "
    "sys.modules.update(requests=None, tqdm=None); "
    "from cxrnet.imaging.decoder_process import main; gc.enable(); main()"
)
_PIPE_BYTES = 2**20  # what Linux grants anyone; pixels then cross in a few turns of the two processes
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # glibc would return the arrays of an image to the system, and every page would be zeroed again for the next one.
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}


class Child(NamedTuple):
    """A child process and the two ends of its pipes."""

    process: subprocess.Popen[bytes]
    requests: BinaryIO
    answers: BinaryIO

    def end(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        for stream in (self.requests, self.answers):
            with contextlib.suppress(OSError):  # a request that the child never took
                stream.close()
        self.process.wait()


_early: list[Child] = []


def take_child() -> Child:
    """Return a child that is not yet ready: the one that was started early, or a new one."""
    try:
        return _early.pop()
    except IndexError:
        return _launch()


def launch_early() -> None:
    """Start a child for the first `take_child`, while the program imports its libraries."""
    _early.append(_launch())


def discard_early() -> None:
    """End a child that nobody has taken."""
    while _early:
        _early.pop().end()


def _launch() -> Child:
    paths = json.dumps([os.path.abspath(each) for each in sys.path if each])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
        pipesize=_PIPE_BYTES,
    )
    return Child(process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout))
