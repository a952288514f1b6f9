"""What a run leaves behind for the card of its bundle: its images, its settings, its results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from cxrnet.atomic import write_atomic
from cxrnet.data.description import describe_images
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.data.problem import Problem
from cxrnet.errors import UsageError
from cxrnet.model.bundle import Bundle
from cxrnet.model.facts import DataFacts, Facts, SegmenterFacts, TrainingFacts
from cxrnet.training.artifacts import DIGESTS, LAST, read_checked, read_result
from cxrnet.training.lock import is_first_process
from cxrnet.training.run import read_record

DATA = "data.json"
"""Counts of a run's images; next to `training.json`, which decides what may be resumed, so that old runs still can."""


def write_data(
    folder: Path, manifest: Manifest, parts: Mapping[str, Sequence[Sample]], accepted: Sequence[Problem] = ()
) -> None:
    """Write the counts of the images of a run that `open_run` has opened.

    Args:
        folder: The run.
        manifest: Of its images.
        parts: Split -> its samples.
        accepted: Leaks that the user accepted.

    Raises:
        OutputError: It cannot be written.
    """
    if is_first_process():
        described = describe_images(manifest, parts, sha256=read_record(folder)["films"]["sha256"])
        leaks = tuple(f"{problem.code} {problem.text}" for problem in accepted)
        described = described.model_copy(update={"accepted_leaks": leaks})
        write_atomic(folder / DATA, described.model_dump_json(indent=1).encode())


def read_facts(run: Path, parts: Mapping[str, Path], *, weights: str, segmenter: Bundle | None = None) -> Facts:
    """Return what is known of the bundle that is made from a run.

    Args:
        run: Folder of the training.
        parts: Name -> folder with the weights of each network that was trained; the run itself for a segmenter.
        weights: File name of the weights that are taken.
        segmenter: The bundle that the lung masks of a classifier came from.

    Raises:
        UsageError: The counts of the images are damaged.
    """
    record = read_record(run)
    which: Literal["last", "best"] = "last" if weights == LAST else "best"
    training = TrainingFacts(
        kind=record["kind"],
        settings=record["settings"],
        weights=which,
        start=record.get("start"),
        results={name: _result(folder) for name, folder in parts.items()},
        sha256=digest_weights(list(parts.values()), weights),
    )
    return Facts(training=training, data=_data(run), segmenter=None if segmenter is None else _masks(segmenter))


def digest_weights(folders: Sequence[Path], name: str) -> str:
    """Return the sha256 over the weights of runs in their order: what `cxrnet evaluate folds` calls the model."""
    sha = hashlib.sha256()
    for folder in folders:
        sha.update(read_checked(folder, name))
    return sha.hexdigest()


def _masks(bundle: Bundle) -> SegmenterFacts:
    known = bundle.facts or Facts()
    return SegmenterFacts(
        name=bundle.config.name,
        version=bundle.config.version,
        sha256=bundle.sha256,
        training=known.training,
        data=known.data,
    )


def _data(run: Path) -> DataFacts | None:
    """None for a run that started before there was such a file: `--resume` with the same words writes it."""
    path = run / DATA
    if not path.is_file():
        return None
    try:
        return DataFacts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        msg = f"{path}: is not of this version's form; train with --resume and the same words, which writes it again"
        raise UsageError(msg) from error


def _result(folder: Path) -> dict[str, Any]:
    return {name: value for name, value in (read_result(folder) or {}).items() if name != DIGESTS}
