"""One training as a folder: what was asked, how far it is, what came out; an interrupted one is resumed from it.

    training.json           kind, settings, manifest, classes
    data.json               the images by source: counts, groups, patients, licences, accepted leaks
    files.json              digest of every image and mask that was read
    images.h5               the images and masks as they were read, see `cxrnet.data.pack`
    checkpoints/            last.ckpt, written after every epoch, and previous.ckpt, the one before
    history.csv, curves.png loss and metric of every epoch so far (paper Figs. 6 and 11b)
    tensorboard/            the same as events for TensorBoard
    best.safetensors        weights of the best epoch by the validation images
    last.safetensors        weights of the last epoch, written at the end
    result.json             written after it, with digests: where it is, the training has ended

Of the processes of a parallel training the first one writes. Every file is checked when it is read back.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch.nn import Module

from cxrnet.atomic import write_atomic
from cxrnet.errors import OutputError, UsageError
from cxrnet.lock import try_lock

Record = TypeVar("Record", bound=BaseModel)

RECORD, RESULT, LOCK = "training.json", "result.json", ".lock"
BEST, LAST, OUT_OF_FOLD = "best.safetensors", "last.safetensors", "out_of_fold.csv"
DIGESTS = "sha256"
"""Field of `result.json`: file name -> sha256; runs of earlier versions have none."""

NEW_FIELDS = frozenset({"run", "masks", "standardisation"})
"""Fields of `training.json` that runs of earlier versions do not have."""

_WORDING = {"films": "rows of the manifest"}
"""Fields of `training.json` that messages call otherwise."""


def is_first_process() -> bool:
    """Return whether this is the process that writes, by what torchrun or Lightning says in the environment."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the run in `folder`; the system releases the lock when the process ends, however it ends."""
    if not is_first_process():
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise OutputError.of(folder, error) from error
    with file:
        if not try_lock(file):
            raise UsageError(f"{folder}: another process trains in this folder; wait for it, or choose another --out")
        yield


def open_run(folder: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Start the run in `folder`, or make sure that it is the one to resume.

    Fields that an earlier version did not write are not compared.
    """
    if not is_first_process():
        return
    require_resume(folder, resume=resume)
    if not (folder / RECORD).is_file():
        write_atomic(folder / RECORD, json.dumps(record, indent=2).encode())
        return
    stored = read_record(folder)
    asked = {key: value for key, value in record.items() if key in stored or key not in NEW_FIELDS}
    if differing := differing_fields(stored, asked):
        raise UsageError(
            f"{folder}: was started with other {differing}; resume with the same, or start again in another folder"
        )


def require_resume(folder: Path, *, resume: bool, settings: Mapping[str, Any] | None = None) -> None:
    """Check that a folder which holds a run is to be resumed, and with its settings, before images are read.

    The first process of a parallel training checks for all: the others start when its record may be there already.
    """
    if not is_first_process() or not (folder / RECORD).is_file():
        return
    if not resume:
        raise UsageError(f"{folder}: holds a training; resume it with --resume, or choose another folder")
    if settings is not None and differing_fields(read_record(folder).get("settings", {}), settings):
        raise UsageError(
            f"{folder}: was started with other settings; resume with the same, or start again in another folder"
        )


def differing_fields(stored: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the names of the fields in which a stored record and another differ, "" where they are alike.

    A field that one of them lacks is null there: an earlier version had no such setting.
    """
    other = json.loads(json.dumps(other))
    keys = [key for key in stored.keys() | other.keys() if not _is_alike(stored.get(key), other.get(key))]
    return ", ".join(sorted(_WORDING.get(key, key) for key in keys))


def _is_alike(stored: object, other: object) -> bool:
    if isinstance(stored, dict) and isinstance(other, dict):
        return not differing_fields(stored, other)
    return stored == other


def read_record(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Return what `training.json` of a run says."""
    remedy = "folder that `cxrnet train --out` made"
    try:
        record = dict(json.loads((folder / RECORD).read_bytes()))
        found, _ = record["kind"], dict(record["settings"])
        if found == "classifier":
            _ = record["films"]["sha256"], [record["segmenter"][key] for key in ("name", "version", "sha256")]
    except PermissionError as error:
        raise UsageError(f"{folder / RECORD}: permission denied; a readable run is needed") from error
    except OSError as error:
        raise UsageError(f"{folder}: holds no training; give the {remedy}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder / RECORD}: is damaged; restore it, or give another {remedy}") from error
    if kind not in (None, found):
        raise UsageError(f"{folder}: is the training of a {found}; that of a {kind} is needed")
    return record


def as_record(kind: type[Record], content: object, path: Path) -> Record:
    """Return a part of a file of a run as a record, such as its settings."""
    try:
        return kind.model_validate_json(json.dumps(content))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        problem = f"{'.'.join(map(str, fault['loc'])) or 'content'}: {fault['msg']}"
        raise UsageError(f"{path}: {problem}; restore the file, or take the version that wrote it") from error


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write `result.json` with the digests of the files that are there; where it is, the training has ended."""
    digests = {name: _digest(folder / name) for name in (LAST, BEST, OUT_OF_FOLD) if (folder / name).is_file()}
    content = {**{key: value for key, value in result.items() if key != DIGESTS}, DIGESTS: digests}
    write_atomic(folder / RESULT, json.dumps(content, indent=2, allow_nan=False).encode())


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return what `result.json` of a run says; None where the training has not ended, or the file is damaged."""
    try:
        result = json.loads((folder / RESULT).read_bytes())
        int(result["epochs"])
        return dict(result) | ({DIGESTS: dict(result[DIGESTS])} if DIGESTS in result else {})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_finished(folder: Path, *names: str) -> bool:
    """Return whether a training has ended and these of its files are as it wrote them."""
    result = read_result(folder)
    if result is None or DIGESTS not in result:
        return result is not None and all((folder / name).is_file() for name in names)
    return all(_digest(folder / name) == result[DIGESTS].get(name) for name in names)


def read_checked(folder: Path, name: str) -> bytes:
    """Return the bytes of a file of a run that has ended; the best weights also of one that has not."""
    path = folder / name
    for needed in (path, *([] if name == BEST else [folder / RESULT])):
        if not needed.is_file():
            remedy = "take --weights last" if name == BEST else "its training has not ended, continue it with --resume"
            raise UsageError(f"{folder}: has no {needed.name}; {remedy}")
    result, content = read_result(folder), path.read_bytes()
    if (folder / RESULT).is_file() and result is None:
        raise UsageError(f"{folder / RESULT}: is damaged; run the training again with --resume, which rewrites it")
    digests = (result or {}).get(DIGESTS)
    if digests is not None and hashlib.sha256(content).hexdigest() != digests.get(name):
        raise UsageError(
            f"{path}: is not the file that the training wrote (sha256); restore it, or "
            + ("take --weights last" if name == BEST else "run the training again with --resume")
        )
    return content


def load_weights(network: Module, folder: Path, name: str) -> None:
    """Load a file of weights of a run into its network, of which it holds each tensor, all finite."""
    try:
        state, own = load(read_checked(folder, name)), network.state_dict()
    except SafetensorError as error:
        raise UsageError(f"{folder / name}: is damaged; run the training again with --resume") from error
    for key in sorted(state.keys() | own.keys()):
        one, other = state.get(key), own.get(key)
        if one is None or other is None or (one.shape, one.dtype) != (other.shape, other.dtype):
            problem = f"is of another network than the settings of its run ({key})"
            raise UsageError(f"{folder / name}: {problem}; restore it, or train again in another folder")
        if not bool(one.isfinite().all()):
            raise UsageError(f"{folder / name}: has weights that are not finite ({key}); train again in another folder")
    network.load_state_dict(state)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
