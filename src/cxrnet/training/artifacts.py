"""Files that a run leaves: weights, result, digests of both; every one is checked when it is read back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load

from cxrnet.atomic import write_atomic
from cxrnet.errors import UsageError

BEST, LAST, RESULT = "best.safetensors", "last.safetensors", "result.json"
OUT_OF_FOLD = "out_of_fold.csv"
DIGESTS = "sha256"
"""Field of `result.json`: file name -> sha256; runs of earlier versions have none."""


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write `result.json` with the digests of the files that are there; where it is, the training has ended."""
    named = [folder / name for name in (LAST, BEST, OUT_OF_FOLD)]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in named if path.is_file()}
    content = {**{key: value for key, value in result.items() if key != DIGESTS}, DIGESTS: digests}
    write_atomic(folder / RESULT, json.dumps(content, indent=2, allow_nan=False).encode())


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return what `result.json` of a run says; None where the training has not ended, or the file is damaged."""
    try:
        result = json.loads((folder / RESULT).read_bytes())
        int(result["epochs"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return dict(result)


def is_finished(folder: Path, *names: str) -> bool:
    """Return whether a training has ended and these of its files are as it wrote them."""
    result = read_result(folder)
    if result is None or DIGESTS not in result:
        return result is not None and all((folder / name).is_file() for name in names)
    return all(_digest(folder / name) == result[DIGESTS].get(name) for name in names)


def read_checked(folder: Path, name: str) -> bytes:
    """Return the bytes of a file of a run that has ended.

    Raises:
        UsageError: The training has not ended, the file is not there, or is not as the training wrote it.
    """
    path = folder / name
    if not path.is_file():
        raise UsageError(f"{folder}: has no {name}; its training has not ended")
    result, content = read_result(folder), path.read_bytes()
    if (folder / RESULT).is_file() and result is None:
        raise UsageError(f"{folder / RESULT}: is damaged; run the training again with --resume, which rewrites it")
    wanted = (result or {}).get(DIGESTS, {}).get(name)
    if wanted is not None and hashlib.sha256(content).hexdigest() != wanted:
        problem = "is not the file that the training wrote (sha256)"
        raise UsageError(f"{path}: {problem}; restore it, or run the training again with --resume")
    return content


def read_weights(folder: Path, name: str) -> dict[str, Any]:
    """Return the tensors of a file of weights of a run.

    Raises:
        UsageError: As `read_checked`, or it holds no tensors.
    """
    try:
        return load(read_checked(folder, name))
    except SafetensorError as error:
        raise UsageError(f"{folder / name}: is damaged; run the training again with --resume") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
