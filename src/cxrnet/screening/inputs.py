"""What the user named: files, folders, globs, manifests; and a folder name for the results of each."""

from __future__ import annotations

import csv
import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import printable

IMAGES = frozenset(
    {".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
)
"""Endings of the files that are taken from a folder, beside files without an ending (DICOM files often have none)."""


RESERVED = frozenset({"findings.csv", "lungs.csv", "journal.jsonl", "shards"})
"""Names beside the folders of the results, which none of them may have."""

LONGEST = 100
"""Characters, and twice as many bytes, of a folder's name: with a hash behind it is short enough for any disk."""


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


def gather(named: Sequence[str], *, image_column: str = "image", leave_out: Path | None = None) -> Inputs:
    """Return the images behind what the user named, each once, in the order of the names.

    A file is taken whatever its ending, and whether it exists or not, so that a missing one is reported in its
    place. A folder is searched through for files with the ending of an image or with none; links to folders are not
    followed, and a folder that cannot be listed is taken as a file, so that it is reported. A pattern with `*`, `?`
    or `[` is expanded. A `.csv` file is a manifest whose column `image_column` holds paths relative to it.

    Args:
        named: What the user named.
        image_column: Column of the paths in a manifest.
        leave_out: Folder of the results: within a folder that is searched, it is passed by.

    Raises:
        UsageError: A pattern matches nothing, a folder holds no image, or a manifest is not one.
    """
    skipped: list[Path] = []
    left_out = None if leave_out is None else leave_out.resolve()
    paths = dict.fromkeys(path for name in named for path in _expand(name, image_column, skipped, left_out))
    if not paths:
        raise UsageError(f"{', '.join(named) or 'nothing'}: no images; give files, folders, patterns or a CSV manifest")
    items = tuple(Input(path=path, folder=folder) for path, folder in zip(paths, folder_names(paths), strict=True))
    return Inputs(items=items, skipped=len(skipped))


def folder_names(paths: Iterable[Path]) -> list[str]:
    """Return a safe folder name a path: its stem, with digits of a hash where two would be the same, or `RESERVED`.

    Names are the same when a disk that does not tell letters by case, or by how accents are coded, takes them so.
    """
    paths = list(paths)
    digests = [hashlib.sha256(os.fsencode(path)).hexdigest() for path in paths]
    stems = [safe_name(path.stem) for path in paths]
    names = list(stems)
    for digits in (8, 16, 64):  # again where a stem looks like another's name with its hash
        count = Counter(map(_folded, names))
        for at, name in enumerate(names):
            if count[_folded(name)] > 1 or _folded(name) in RESERVED:
                names[at] = f"{stems[at]}-{digests[at][:digits]}"
    return names


def safe_name(text: str) -> str:
    """Return `text` with all but letters, digits, dot, dash and underscore replaced, and at most `LONGEST`."""
    name = re.sub(r"[^\w.-]+", "_", text).strip("._-")[:LONGEST]
    return name.encode()[: 2 * LONGEST].decode(errors="ignore").strip("._-") or "image"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _expand(name: str, image_column: str, skipped: list[Path], left_out: Path | None) -> Iterator[Path]:
    path = Path(name)
    if os.path.isdir(name):
        yield from _search(path, skipped, left_out)
    elif path.suffix.lower() == ".csv" and os.path.isfile(name):
        yield from _manifest(path, image_column)
    elif not os.path.lexists(name) and glob.has_magic(name):
        matches = _matches(name)
        if not matches:
            raise UsageError(f"{printable(name)}: matches no file; give files, folders, patterns or a CSV manifest")
        for match in matches:
            if match.is_dir():
                yield from _search(match, skipped, left_out)
            else:
                yield match
    else:
        yield path


def _matches(pattern: str) -> list[Path]:
    """Return what a pattern matches; `**` does not follow links, since two that lead back would never end."""
    if "**" not in pattern:
        return sorted(Path(match) for match in glob.glob(pattern))
    path = Path(pattern)
    found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    named = {part for part in path.parts if part.startswith(".")}
    return sorted(one for one in found if all(not part.startswith(".") or part in named for part in one.parts))


def _search(folder: Path, skipped: list[Path], left_out: Path | None) -> Iterator[Path]:
    found = 0
    for path in sorted(_files(folder, skipped, left_out)):
        if is_image_name(path) or os.path.isdir(path):
            found += 1
            yield path
        else:
            skipped.append(path)
    if not found:
        msg = f"{folder}: holds no image; endings taken from a folder are {', '.join(sorted(IMAGES))} and none"
        raise UsageError(msg)


def _files(folder: Path, skipped: list[Path], left_out: Path | None) -> Iterator[Path]:
    """Yield what is in a folder and in those below, hidden ones and `left_out` apart; and folders without access."""
    closed: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        skipped += [Path(place, name) for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = [name for name in folders if not name.startswith(".") and not _is(Path(place, name), left_out)]
        yield from (Path(place, name) for name in files if not name.startswith("."))
    yield from closed


def _is(path: Path, other: Path | None) -> bool:
    return other is not None and path.name == other.name and path.resolve() == other


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
                    raise UsageError(f"{path}: line {line} has no {image_column}; give a path in every row")
                yield path.parent / row[image_column]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: is not a readable CSV file ({type(error).__name__}); give a manifest in UTF-8"
        raise UsageError(msg) from error
