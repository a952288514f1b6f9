"""An earlier version against the working tree, in turns: is a step slower than it was?

    make bench-compare [REVISION=v0.2.0] [RECORD=benchmarks/history.json]
    python -m benchmarks.regression [REVISION] [--runs 15] [--images 60] [--elapsed] [--record FILE]

Prints per step the median of the ratios of neighbouring runs, new to old, and its quartiles. The exit code is 1 where a
step takes over 10 % more processor time (`--elapsed`: more time), and the lower quartile is above 1 as well. Both
versions use the same environment, and each its own bundle of the name. Without a revision the last tag counts, and
without a tag the commit that set the version.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import Any, NamedTuple, Self

import cv2

from cxrnet.atomic import write_atomic
from cxrnet.bench.record import machine, versions
from cxrnet.bench.sample_image import drawing, many_images, sample_image
from cxrnet.bench.timing import PAUSE
from cxrnet.imaging.decoding import read_radiograph
from cxrnet.parallel import cpu_count

ROOT = Path(__file__).parents[1]
SLOWER = 1.10
"""Ratio from which a step counts as slower."""

Run = Callable[[], tuple[float, float]]
"""Runs a step once; returns milliseconds of processor time and elapsed time."""


class Ratio(NamedTuple):
    """Quartiles of the ratios of neighbouring runs, new to old."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> Self:
        """Return the ratio of at least two pairs of times, old and new."""
        return cls(*quantiles([new / old for old, new in pairs], n=4, method="inclusive"))

    @property
    def is_slower(self) -> bool:
        """Whether the new version is slower by more than the noise of this run."""
        return self.middle > SLOWER and self.low > 1


class Row(NamedTuple):
    """One step: its medians in milliseconds of processor time, old and new, and both ratios."""

    step: str
    old: float
    new: float
    processor: Ratio
    elapsed: Ratio


def compare(step: str, old: Run, new: Run, runs: int) -> Row:
    """Run a step in turns, old and new, after one run of each that does not count."""
    old(), new()
    taken = [(old(), new()) for _ in range(runs)]
    processor, elapsed = ([(before[at], after[at]) for before, after in taken] for at in (0, 1))
    before, after = (median(times) for times in zip(*processor, strict=True))
    return Row(step, before, after, Ratio.of(processor), Ratio.of(elapsed))


def git(*arguments: str, root: Path = ROOT) -> str:
    """Return what git prints; its own error ends the program."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ERROR git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def last_release(root: Path = ROOT) -> str:
    """Return the last tag, or the commit that set the version where there is no tag."""
    tag = subprocess.run(["git", "describe", "--tags", "--abbrev=0"], cwd=root, capture_output=True, text=True)
    return tag.stdout.strip() or git("log", "-1", "--format=%h", "-G^version = ", "--", "pyproject.toml", root=root)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Give a folder with the tree of a revision."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


class Version:
    """One version of the program, by the folder of its source; close it to end its process."""

    def __init__(self, tree: Path, bundle: str, image: Path, out: Path) -> None:
        self.environment = os.environ | {"PYTHONPATH": str(tree / "src")}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # starts would compile every module again
        stages = ROOT / "src/cxrnet/bench/stages.py"
        command = [
            sys.executable,
            "-P",
            str(ROOT / "benchmarks/stage_worker.py"),
            str(stages),
            bundle,
            str(image),
            str(out),
        ]
        self._worker = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.steps: list[str] = self._answer()

    def step(self, name: str) -> Run:
        """Return one step of an image, in a warm process; it rests first, see `cxrnet.bench.timing`."""

        def run() -> tuple[float, float]:
            sleep(PAUSE)
            print(name, file=self._worker.stdin, flush=True)
            processor, elapsed = self._answer()
            return processor, elapsed

        return run

    def process(self, *arguments: str) -> Run:
        """Return Python with these arguments, as a process of its own."""

        def run() -> tuple[float, float]:
            start = perf_counter()
            started = subprocess.Popen(
                [sys.executable, "-P", *arguments], env=self.environment, stdout=subprocess.DEVNULL
            )
            _, started.returncode, used = os.wait4(started.pid, 0)
            if started.returncode:
                sys.exit(f"ERROR {' '.join(arguments)}: failed")
            return 1000 * (used.ru_utime + used.ru_stime), 1000 * (perf_counter() - start)

        return run

    def close(self) -> None:
        """End the process."""
        self._worker.communicate()

    def _answer(self) -> Any:
        line = self._worker.stdout.readline() if self._worker.stdout else ""
        if not line:
            sys.exit("ERROR a version cannot run the steps of this one; see above")
        return json.loads(line)


def measure(revision: str, options: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows of the table as they are measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        image = sample_image() or folder / "image.png"
        if image.parent == folder:
            cv2.imwrite(str(image), drawing())
        trees = stack.enter_context(checked_out(revision)), ROOT
        old, new = (Version(tree, options.bundle, image, folder / "out") for tree in trees)
        for version in (old, new):
            stack.callback(version.close)
        for step in new.steps:
            yield compare(step, old.step(step), new.step(step), options.runs)
        one = ["-m", "cxrnet", "screen", str(image), "--bundle", options.bundle, "--out", str(folder / "one")]
        yield compare("cxrnet screen, one image", old.process(*one), new.process(*one), options.runs)
        if options.images:
            paths = stack.enter_context(many_images(read_radiograph(image).pixels, options.images))
            many = [options.bundle, str(paths[0].parent), str(folder / "many"), str(cpu_count())]
            before, after = (version.process("-m", "cxrnet.bench.throughput", *many) for version in (old, new))
            yield compare(f"{options.images} images, {cpu_count()} jobs", before, after, max(3, options.runs // 3))


def record(path: Path, entry: Mapping[str, Any]) -> None:
    """Append an entry to the history, a JSON list."""
    history = json.loads(path.read_bytes()) if path.is_file() else []
    write_atomic(path, (json.dumps([*history, entry], indent=1) + "\n").encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a step is slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?")
    parser.add_argument("--bundle", default="covid")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--elapsed", action="store_true", help="compare elapsed time, on a machine that is idle")
    parser.add_argument("--record", type=Path, metavar="FILE", help="append the table to this JSON file")
    options = parser.parse_args(arguments)
    old = options.revision or last_release()
    new = git("describe", "--always", "--dirty", "--abbrev=10")
    print(f"{old} -> {new}: milliseconds of processor time, ratios new / old (quartiles)\n")
    rows = []
    for row in measure(old, options):
        rows.append(row)
        processor, elapsed = (f"{r.middle:5.2f} ({r.low:.2f} to {r.high:.2f})" for r in (row.processor, row.elapsed))
        times = f"{row.old:9.1f}{row.new:9.1f}"
        print(f"{row.step:<28}{times}   processor {processor}   elapsed {elapsed}", flush=True)
    if options.record:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"when": when, "old": git("rev-parse", "--short=10", old), "new": new, "runs": options.runs}
        steps = [row._asdict() for row in rows]
        record(options.record, {**facts, "machine": machine(), "versions": versions(), "rows": steps})
    slower = [row.step for row in rows if (row.elapsed if options.elapsed else row.processor).is_slower]
    print(f"\nslower: {', '.join(slower)}" if slower else f"\nno step is more than {SLOWER - 1:.0%} slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
