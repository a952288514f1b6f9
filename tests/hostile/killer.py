"""Kills a batch again and again at random moments, resumes it, and says what was lost, doubled or torn.

    python -m tests.hostile.killer FILMS FOLDER BUNDLE KILLS [SEED] [WRITER]

Prints one line of JSON: `kills`, `batches` that were resumed to their end, `damage`. The batch is the command line in a
forked process, so that only the libraries' import is spared; what is killed is all of a run. WRITER is `cxrnet`, or
`naive`: a batch as one would write it without care, to prove that the detector finds what it leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.hostile.wreckage import Damage, damage_at_the_end, damage_of_files, damage_of_log

LONGEST = 2.5
"""Seconds after which a batch is killed at the latest: longer than the start, shorter than the whole."""


def main(xrays: str, folder: str, bundle: str, kills: str, seed: str = "0", writer: str = "cxrnet") -> None:
    """Run the whole and print what was found."""
    import cv2  # noqa: F401  (imported once, here, and not after each fork)
    import onnxruntime  # noqa: F401

    import cxrnet.cli.progress
    import cxrnet.screening.ray_backend
    import cxrnet.screening.run  # noqa: F401

    chance, place = random.Random(int(seed)), Path(folder)
    begin = {"cxrnet": screen, "naive": screen_naively}[writer]
    unbroken, out, log = place / "unbroken", place / "out", place / "log"
    words = (xrays, str(unbroken), bundle)
    assert wait(begin_process(screen, words, log)) == 0, log.read_text()
    found: list[Damage] = []
    killed = batches = 0
    while killed < int(kills) or out.exists():
        process = begin_process(begin, (xrays, str(out), bundle), log)
        if killed < int(kills):
            time.sleep(chance.uniform(0, LONGEST))
            os.kill(process, signal.SIGKILL)
        ended = wait(process)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # readers that are about to find out that their parent is gone
        if ended == -signal.SIGKILL:
            killed += 1
            if out.exists():
                found += damage_of_files(out, unbroken) + damage_of_log(out)
        elif ended == 0:
            batches += 1
            found += damage_at_the_end(out, unbroken)
            shutil.rmtree(out)
        else:
            raise SystemExit(f"the batch ended with {ended}:\n{log.read_text()}")
    print(json.dumps({"kills": killed, "batches": batches, "damage": found}))


def begin_process(begin: Callable[..., int], words: Sequence[str], log: Path) -> int:
    """Return the process that does `begin(*words)`, its output in `log`."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = begin(*words)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(process: int) -> int:
    """Return how a process ended: its exit code, or less than 0 for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def screen(xrays: str, out: str, bundle: str) -> int:
    """Screen by the command line; return its exit code."""
    from cxrnet.cli import main as command

    sys.argv = ["cxrnet", "screen", xrays, "--out", out, "--bundle", bundle, "--resume", "--jobs", "2"]
    try:
        command()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def screen_naively(xrays: str, out: str, bundle: str) -> int:
    """Screen as one would without care: what is done is known by its folder, and the table is appended to."""
    from cxrnet import Pipeline
    from cxrnet.screening import outputs
    from cxrnet.screening.csv_output import finding_columns, finding_row, table_lines
    from cxrnet.screening.inputs import find_inputs

    def write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            for at in range(0, len(content), 2**14):
                file.write(content[at : at + 2**14])
                time.sleep(0.003)  # as on a slow disk, so that kills meet it at work

    outputs.write_atomic = write  # type: ignore[assignment]
    table = Path(out) / "findings.csv"
    Path(out).mkdir(exist_ok=True)
    with Pipeline.load(bundle, threads=2) as pipeline:
        columns = finding_columns(pipeline.bundle.config.classifier.classes)
        for item in find_inputs([xrays]).items:
            if (Path(out) / item.folder).exists():
                continue
            finding = pipeline.screen(item.path)
            header, row = table_lines([finding_row(finding, item)], columns)
            with table.open("ab", buffering=0) as file:
                file.write(row if table.stat().st_size else header + row)
            outputs.write_finding(finding, Path(out) / item.folder, {"json", "png"})
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
