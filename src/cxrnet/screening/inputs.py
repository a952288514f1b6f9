"""The images behind what the user named: files, folders, patterns, manifests; and a folder name for each result."""

import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import printable
from cxrnet.screening.manifest import Source, is_manifest, manifest_rows
from cxrnet.screening.store import is_address

IMAGES = frozenset(
    {".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
)
"""Endings of files that are taken from a folder; so are files without an ending, as DICOM files often are."""


RUN_FILES = ("findings.csv", "lungs.csv", "progress.sqlite", "journal.jsonl", "partitions.json")
"""Files of a run, next to the folders of the results."""

_DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
RESERVED = frozenset({*RUN_FILES, *_DEVICES, "progress.sqlite-wal"})
"""Names that no folder of results may have; devices are none on Windows, where a run may be copied to."""

_RESULTS = (*RUN_FILES, "finding.json", "panel.png")

LONGEST = 100
"""Characters, and twice as many bytes, of a folder's name: with a hash behind it is short enough for any disk."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One image to read."""

    path: Path  # its file; of an object in a store only its name
    folder: str  # name of the folder for its results, unique in a run
    patient: Mapping[str, str] = field(default_factory=dict, repr=False)  # patient data of a manifest, column -> cell
    address: str = ""  # of the object in a store, "" for a file

    @classmethod
    def of(cls, source: Source, folder: str, patient: Mapping[str, str]) -> Self:
        """Return the input for a file or an address."""
        address = source if is_address(source) else ""
        path = Path(address.rsplit("/", 1)[-1] or source)
        return cls(path=path, folder=folder, patient=patient, address=address)

    @property
    def source(self) -> Source:
        """The file, or the address."""
        return self.address or self.path

    @property
    def text(self) -> str:
        """What results call it."""
        return path_text(self.source)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All images of a run in their order."""

    items: tuple[Input, ...]
    notes: tuple[str, ...] = ()  # what was left out, one line each


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search through folders leaves out: the folder `exclude`, and what it adds to `skipped` and `results`."""

    exclude: Path | None
    skipped: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, one line each."""
        notes = []
        if self.skipped:
            count = Counter(printable(path.suffix.lower())[:8] for path in self.skipped if path.suffix)
            endings = ", ".join(f"{number} {ending}" for ending, number in count.most_common(3))
            kinds = f" ({endings}{', ...' if len(count) > 3 else ''})" if endings else ""
            notes.append(f"{len(self.skipped)} files in folders are not images by their names and are left out{kinds}")
        if self.results:
            more = f" and {len(self.results) - 1} more folders" if len(self.results) > 1 else ""
            first = printable(str(self.results[0]))
            notes.append(f"{first}{more}: left out, with results of an earlier run; name the files to screen them")
        return tuple(notes)

    @classmethod
    def leaving_out(cls, folder: Path | None) -> Self:
        """Return a search that leaves out a folder."""
        return cls(exclude=None if folder is None else folder.resolve())

    def images(self, folder: Path) -> Iterator[Path]:
        """Yield the images in a folder and in those below."""
        found = 0
        for path in sorted(self._files(folder)):
            if is_image_name(path) or os.path.isdir(path):
                found += 1
                yield path
            else:
                self.skipped.append(path)
        if not found:
            raise UsageError(
                f"{printable(str(folder))}: holds no image; endings taken from a folder are "
                f"{', '.join(sorted(IMAGES))} and none, and results of an earlier run are left out"
            )

    def _files(self, folder: Path) -> Iterator[Path]:
        """Yield the files of a search, hidden ones and results apart; and folders without access."""
        closed: list[Path] = []
        for place, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
            self.skipped.extend(Path(place, name) for name in folders if os.path.islink(os.path.join(place, name)))
            folders[:] = [name for name in folders if not name.startswith(".") and self._is_searched(Path(place, name))]
            yield from (Path(place, name) for name in files if not name.startswith("."))
        yield from closed

    def _is_searched(self, folder: Path) -> bool:
        if self.exclude is not None and folder.name == self.exclude.name and folder.resolve() == self.exclude:
            return False
        is_searched = not any(os.path.isfile(folder / name) for name in _RESULTS)
        if not is_searched:
            self.results.append(folder)
        return is_searched


def find_inputs(
    named: Sequence[str],
    *,
    image_column: str = "image",
    exclude: Path | None = None,
    patient_columns: Sequence[str] = (),
) -> Inputs:
    """Return the images behind what the user named, each once, in the order of the names.

    A file is taken once, however its path is spelled, whatever its ending, and whether it exists or not, so that a
    missing one is reported in its place. A folder is searched for files with the ending of an image or with none; links
    to folders are not followed, folders with results of an earlier run are left out, and a folder that cannot be listed
    is taken as a file, so that it is reported. A pattern with `*`, `?` or `[` is expanded. A `.csv` or `.parquet` file
    is a manifest whose column `image_column` holds paths relative to it, or addresses `s3://bucket/key`.
    """
    search = Search.leaving_out(exclude)
    paths: dict[Source, Mapping[str, str]] = {}
    first: dict[Source, Source] = {}  # place of a file -> its first spelling
    place_of = place_finder()
    for path, patient in each_source(named, search, image_column=image_column, patient_columns=patient_columns):
        path = first.setdefault(place_of(path), path)
        if patient and paths.get(path) and paths[path] != patient:
            raise contradiction(path)
        paths[path] = patient or paths.get(path, {})
    if not paths:
        raise no_images(named)
    named_folders = zip(paths.items(), folder_names(paths), strict=True)
    items = tuple(Input.of(path, folder, patient) for (path, patient), folder in named_folders)
    return Inputs(items=items, notes=search.notes)


def place_finder() -> Callable[[Source], Source]:
    """Return a function that says the same for every spelling of a path; a link to a file is a file of its own."""
    real_folder = lru_cache(maxsize=1024)(_real_folder)  # of this run alone: the current folder may change

    def place_of(source: Source) -> Source:
        folder, name = os.path.split(source)
        return source if is_address(source) else os.path.join(real_folder(folder), name)

    return place_of


def _real_folder(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # a null character, reported when the file is read
        return folder


def each_source(
    named: Sequence[str], search: Search, *, image_column: str, patient_columns: Sequence[str]
) -> Iterator[tuple[Source, Mapping[str, str]]]:
    """Yield each image behind what the user named, and its patient data where a manifest has them."""
    for name in named:
        if is_manifest(name):
            yield from manifest_rows(name, image_column, patient_columns)
        elif not is_address(name):
            yield from ((found, {}) for found in _find(name, search))
        elif name.endswith("/"):
            raise UsageError(f"{printable(name)}: is a folder of a store; list its objects in a manifest")
        else:
            yield name, {}


def contradiction(source: Source) -> UsageError:
    """Return the error for an image whose patient data a manifest gives twice, and not the same."""
    name = printable(Path(source).name)
    return UsageError(f"{name}: is there twice with other patient data; give each image once")


def no_images(named: Sequence[str]) -> UsageError:
    """Return the error for inputs without an image."""
    return UsageError(f"{', '.join(named) or 'nothing'}: no images; give files, folders, patterns or a manifest")


def path_text(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text that is valid Unicode: bytes of a name that are not UTF-8 become `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def folder_names(paths: Iterable[Source]) -> list[str]:
    """Return a safe folder name per path: its stem, with digits of a hash where two would be the same, or `RESERVED`.

    Names are the same when a disk that does not tell letters by case, or by how accents are coded, takes them so.
    """
    paths = list(paths)
    digests = [hashlib.sha256(os.fsencode(path)).hexdigest() for path in paths]
    stems = [safe_name(Path(path).stem) for path in paths]
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


def _find(name: str, search: Search) -> Iterator[Path]:
    path = Path(name)
    if os.path.isdir(name):
        yield from search.images(path)
    elif not os.path.lexists(name) and glob.has_magic(name):
        matches = _matches(name)
        if not matches:
            raise UsageError(f"{printable(name)}: matches no file; give files, folders, patterns or a manifest")
        for match in matches:
            if match.is_dir():
                yield from search.images(match)
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


def is_image_name(path: Path) -> bool:
    """Return whether a file of this name is taken from a folder: DICOM files often have no ending, or a number."""
    ending = path.suffix.lower()
    return ending in IMAGES or ending[1:].isdigit() or (not ending and path.name != "DICOMDIR")
