"""Before every training: rows chosen by their split, images read once, and the checks of `cxrnet data check`."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrnet.atomic import write_atomic
from cxrnet.data.check import KNOWN_SPLITS, check_rows, duplicate_pairs, find_duplicates, find_leaks, require_sound
from cxrnet.data.description import describe_images
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.data.mask_values import AUTOMATIC, MaskValues
from cxrnet.data.pack import Pack, digest_files, open_pack
from cxrnet.errors import UsageError
from cxrnet.model.config import PreparationConfig
from cxrnet.training.run import is_first_process, open_run

IMAGES, FILES, DATA = "images.h5", "files.json", "data.json"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a training reads and checks its data, and how it runs."""

    resume: bool = False  # whether the folder may hold the training to resume
    values: MaskValues = AUTOMATIC  # how stored values of masks are read
    pack: Path | None = None  # HDF5 file for the images, which several trainings may share; None keeps it in the run
    allow_leaks: bool = False  # whether patients and images across parts, and contradictory labels, are accepted
    trainer: Mapping[str, Any] | None = None  # further options of Lightning's trainer, such as `devices` and `strategy`
    say: Say = lambda line: None  # called with lines for people


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadData:
    """The images of some rows, and which rows show the same image."""

    samples: tuple[Sample, ...]
    pack: Pack  # their images, and masks where they were asked for
    pairs: Sequence[tuple[Sample, Sample, float]]  # near-duplicates among the rows, with their correlation
    digests: Mapping[str, str]  # row -> digests of its files

    @property
    def duplicates(self) -> list[tuple[int, int]]:
        """Positions of the near-duplicates."""
        places = {id(sample): place for place, sample in enumerate(self.samples)}
        return [(places[id(low)], places[id(high)]) for low, high, _ in self.pairs]


def choose_rows(samples: Sequence[Sample], say: Say) -> list[Sample]:
    """Return the rows that a training may see: all but those of the split `test`."""
    counts = Counter(sample.split for sample in samples)
    if unknown := sorted(set(counts) - {"", *KNOWN_SPLITS}):
        raise UsageError(
            f"manifest: the split column has {', '.join(unknown)}; known splits are train, val (or validation) and test"
        )
    chosen = [sample for sample in samples if sample.split != "test"]
    if not chosen:
        raise UsageError("manifest: the split column has test only; it names no images to train on")
    if counts["test"]:
        say(f"{counts['test']} rows of the split test are left out")
    return chosen


def read_data(
    samples: Sequence[Sample], folder: Path, preparation: PreparationConfig, options: RunOptions, *, with_masks: bool
) -> ReadData:
    """Read the images of a training, or take them from the pack; files changed since the run started are refused."""
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
    return ReadData(
        samples=tuple(samples),
        pack=pack,
        pairs=duplicate_pairs(samples, details),
        digests=dict(zip(map(_row_name, samples), digests, strict=True)),
    )


def check_data(
    manifest: Manifest, data: ReadData, parts: Sequence[str], options: RunOptions, *, what: str
) -> tuple[str, ...]:
    """Run the checks of `cxrnet data check` on a training; return the leaks that were accepted, for people."""
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
    texts = tuple(f"{problem.code} {problem.text}" for problem in accepted)
    for text in texts:
        options.say(f"ACCEPTED {text}")
    return texts


def start_run(
    folder: Path,
    record: Mapping[str, Any],
    data: ReadData,
    manifest: Manifest,
    parts: Mapping[str, Sequence[Sample]],
    accepted: tuple[str, ...],
    *,
    resume: bool,
) -> None:
    """Open the run, and write the counts of its images for the card, and the digests of its files for a resume."""
    open_run(folder, record, resume=resume)
    if is_first_process():
        described = describe_images(manifest, parts, sha256=record["films"]["sha256"])
        described = described.model_copy(update={"accepted_leaks": accepted})
        write_atomic(folder / DATA, described.model_dump_json(indent=1).encode())
        write_atomic(folder / FILES, json.dumps(data.digests, indent=0).encode())


def _require_same_files(path: Path, samples: Sequence[Sample], digests: Sequence[str]) -> None:
    try:
        stored: Mapping[str, str] = dict(json.loads(path.read_bytes())) if path.is_file() else {}
    except (ValueError, TypeError):
        raise UsageError(
            f"{path}: is damaged; delete it if no image or mask has changed since the run started"
        ) from None
    names = [_row_name(sample) for sample in samples]
    if path.is_file() and stored.keys().isdisjoint(names):  # the images have moved since: any order will do
        known = set(stored.values())
        stored = {name: digest if digest in known else "" for name, digest in zip(names, digests, strict=True)}
    rows = zip(samples, names, digests, strict=True)
    if changed := [sample for sample, name, digest in rows if stored.get(name, digest) != digest]:
        more = f" and {len(changed) - 1} more rows" if len(changed) > 1 else ""
        problem = f"line {changed[0].line}{more}: {changed[0].image.name} or its mask has changed since the run started"
        raise UsageError(f"manifest: {problem}; restore the files, or start again in another folder")


def _row_name(sample: Sample) -> str:
    return " | ".join(str(path) for path in (sample.image, sample.mask) if path is not None)
