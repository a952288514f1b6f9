"""What the user named: files, folders, globs, manifests; and a folder name for the results of each."""

from __future__ import annotations

import csv
import glob
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrnet.errors import UsageError

IMAGES = frozenset(
    {".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
)
"""Endings of the files that are taken from a folder, beside files without an ending (DICOM files often have none)."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One image to read: its `path`, and the name of the `folder` for its results, unique in a run."""

    path: Path
    folder: str


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All images of a run in their order, and how many files in folders were `skipped` as no images."""

    items: tuple[Input, ...]
    skipped: int = 0


def gather(named: Sequence[str], *, image_column: str = "image") -> Inputs:
    """Return the images behind what the user named, each once, in the order of the names.

    A file is taken whatever its ending, and whether it exists or not, so that a missing one is reported in its
    place. A folder is searched through for files with the ending of an image or with none. A pattern with `*`,
    `?` or `[` is expanded. A `.csv` file is a manifest whose column `image_column` holds paths relative to it.

    Raises:
        UsageError: A pattern matches nothing, a folder holds no image, or a manifest is not one.
    """
    skipped: list[Path] = []
    paths = dict.fromkeys(path for name in named for path in _expand(name, image_column, skipped))
    if not paths:
        msg = f"{', '.join(named) or 'nothing'}: no images; give files, folders, patterns or a CSV manifest"
        raise UsageError(msg)
    items = tuple(Input(path=path, folder=folder) for path, folder in zip(paths, folder_names(paths), strict=True))
    return Inputs(items=items, skipped=len(skipped))


def folder_names(paths: Iterable[Path]) -> list[str]:
    """Return a safe folder name a path: its stem, with a few digits of a hash where two would be the same."""
    paths = list(paths)
    stems = [safe_name(path.stem) for path in paths]
    count = Counter(stem.casefold() for stem in stems)
    return [
        stem
        if count[stem.casefold()] == 1
        else f"{stem}-{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        for stem, path in zip(stems, paths, strict=True)
    ]


def safe_name(text: str) -> str:
    """Return `text` with everything but letters, digits, dot, dash and underscore replaced, at most 100 long."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:100] or "image"


def _expand(name: str, image_column: str, skipped: list[Path]) -> Iterator[Path]:
    path = Path(name)
    if path.is_dir():
        yield from _search(path, skipped)
    elif path.suffix.lower() == ".csv" and path.is_file():
        yield from _manifest(path, image_column)
    elif not path.exists() and glob.has_magic(name):
        matches = sorted(Path(match) for match in glob.glob(name, recursive=True))
        if not matches:
            msg = f"{name}: matches no file; give files, folders, patterns or a CSV manifest"
            raise UsageError(msg)
        for match in matches:
            if match.is_dir():
                yield from _search(match, skipped)
            else:
                yield match
    else:
        yield path


def _search(folder: Path, skipped: list[Path]) -> Iterator[Path]:
    found = 0
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_hidden or not path.is_file():
            continue
        if is_image_name(path):
            found += 1
            yield path
        else:
            skipped.append(path)
    if not found:
        msg = f"{folder}: holds no image; endings taken from a folder are {', '.join(sorted(IMAGES))} and none"
        raise UsageError(msg)


def is_image_name(path: Path) -> bool:
    """Return whether a file of this name is taken from a folder: DICOM files often have no ending, or a number."""
    ending = path.suffix.lower()
    return ending in IMAGES or ending[1:].isdigit() or (not ending and path.name != "DICOMDIR")


def _manifest(path: Path, image_column: str) -> Iterator[Path]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if image_column not in (rows.fieldnames or ()):
                msg = f"{path}: has no column {image_column}; its columns are {', '.join(rows.fieldnames or ())}"
                raise UsageError(msg)
            for line, row in enumerate(rows, start=2):
                if not row[image_column]:
                    msg = f"{path}: line {line} has no {image_column}; give a path in every row"
                    raise UsageError(msg)
                yield path.parent / row[image_column]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: is not a readable CSV file ({type(error).__name__}); give a manifest in UTF-8"
        raise UsageError(msg) from error
