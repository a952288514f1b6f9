"""Before every training: rows chosen by their split, images read once, and the checks of `cxrnet data check`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrnet.atomic import write_atomic
from cxrnet.data.check import check_rows, duplicate_pairs, find_duplicates, find_leaks, require_sound
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.data.masks import AUTOMATIC, MaskValues
from cxrnet.data.pack import Pack, digest_files, open_pack
from cxrnet.data.problem import Problem
from cxrnet.errors import UsageError
from cxrnet.model.config import PreparationConfig
from cxrnet.training.lock import is_first_process

IMAGES, FILES = "images.h5", "files.json"
KNOWN_SPLITS = ("train", "val", "test")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How the data of a training are read and checked.

    Attributes:
        values: How stored values of masks are read.
        pack: HDF5 file for the images, which several trainings may share; None keeps it in the run.
        allow_leaks: Whether patients and images across parts, and contradictory labels, are accepted.
        say: Called with lines for people.
    """

    values: MaskValues = AUTOMATIC
    pack: Path | None = None
    allow_leaks: bool = False
    say: Say = lambda line: None


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadData:
    """The images of some rows, and which rows show the same image.

    Attributes:
        samples: The rows.
        pack: Their images, and masks where they were asked for.
        pairs: Near-duplicates among the rows, with their correlation.
        digests: Of the files of each row.
    """

    samples: tuple[Sample, ...]
    pack: Pack
    pairs: Sequence[tuple[Sample, Sample, float]]
    digests: Sequence[str]

    @property
    def duplicates(self) -> list[tuple[int, int]]:
        """Positions of the near-duplicates."""
        places = {id(sample): place for place, sample in enumerate(self.samples)}
        return [(places[id(low)], places[id(high)]) for low, high, _ in self.pairs]


def choose_rows(samples: Sequence[Sample], say: Say) -> list[Sample]:
    """Return the rows that a training may see: all but those of the split `test`.

    Raises:
        UsageError: A split is not known, or no row is left.
    """
    counts = Counter(sample.split for sample in samples)
    unknown = sorted(set(counts) - {"", *KNOWN_SPLITS})
    if unknown:
        problem = f"the split column has {', '.join(unknown)}"
        raise UsageError(f"manifest: {problem}; known splits are train, val (or validation) and test")
    chosen = [sample for sample in samples if sample.split != "test"]
    if not chosen:
        raise UsageError("manifest: the split column has test only; it names no images to train on")
    if counts["test"]:
        say(f"{counts['test']} rows of the split test are left out")
    return chosen


def read_data(
    samples: Sequence[Sample],
    folder: Path,
    preparation: PreparationConfig,
    options: DataOptions,
    *,
    with_masks: bool,
) -> ReadData:
    """Read the images of a training, or take them from the pack; files changed since the run started are refused.

    Raises:
        LeakError: A file cannot be read, or a mask does not fit its image.
        UsageError: Files have changed under the names of a run that is resumed.
        OutputError: The disk is full.
    """
    digests = digest_files(samples, with_masks=with_masks)
    _require_same_files(folder / FILES, samples, digests)
    pack = open_pack(
        options.pack or folder / IMAGES,
        samples,
        preparation,
        digests=digests,
        with_masks=with_masks,
        values=options.values,
        is_writer=is_first_process(),
    )
    require_sound(pack.problems, allow_leaks=options.allow_leaks)
    details = {sample.identity: detail for sample, detail in zip(samples, pack.details, strict=True)}
    pairs = duplicate_pairs(samples, details)
    return ReadData(samples=tuple(samples), pack=pack, pairs=pairs, digests=digests)


def check_data(
    manifest: Manifest, data: ReadData, parts: Sequence[str], options: DataOptions, *, what: str
) -> tuple[Problem, ...]:
    """Run the checks of `cxrnet data check` on a training; return the leaks that were accepted.

    Args:
        manifest: All rows, those of the split `test` included.
        data: What was read of the rows to train on.
        parts: Name of the part of each row of `data`: split or fold.
        options: Whether leaks are accepted.
        what: `split` or `fold`.

    Raises:
        LeakError: There is an error that is not accepted.
    """
    found = [
        *manifest.problems,
        *data.pack.problems,
        *check_rows(manifest.samples),
        *find_leaks(data.samples, parts, what=what),
        *find_duplicates(data.samples, parts, data.pairs),
    ]
    problems = list({(problem.code, problem.lines): problem for problem in found}.values())
    accepted = require_sound(problems, allow_leaks=options.allow_leaks)
    for problem in problems:
        if problem.kind == "warning" or problem.code == "LABEL_MAP":
            options.say(f"{problem.kind.upper()} {problem.code} {problem.text}")
    for problem in accepted:
        options.say(f"ACCEPTED {problem.code} {problem.text}")
    return accepted


def write_files(folder: Path, data: ReadData) -> None:
    """Write the digest of every file that was read, for a later resume."""
    if is_first_process():
        content = dict(zip(map(_row_name, data.samples), data.digests, strict=True))
        write_atomic(folder / FILES, json.dumps(content, indent=0).encode())


def _require_same_files(path: Path, samples: Sequence[Sample], digests: Sequence[str]) -> None:
    try:
        stored: Mapping[str, str] = dict(json.loads(path.read_bytes())) if path.is_file() else {}
    except ValueError:
        raise UsageError(
            f"{path}: is damaged; delete it if no image or mask has changed since the run started"
        ) from None
    changed = [
        sample
        for sample, digest in zip(samples, digests, strict=True)
        if stored.get(_row_name(sample), digest) != digest
    ]
    if changed:
        more = f" and {len(changed) - 1} more rows" if len(changed) > 1 else ""
        problem = f"line {changed[0].line}{more}: {changed[0].image.name} or its mask has changed since the run started"
        raise UsageError(f"manifest: {problem}; restore the files, or start again in another folder")


def _row_name(sample: Sample) -> str:
    return " | ".join(str(path) for path in (sample.image, sample.mask) if path is not None)
