"""What every layout gives: the images it found, and what it left out and why."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cxrnet.arrays import Int32
from cxrnet.errors import ManifestError
from cxrnet.model.segmenter_classes import LUNG_SIDES

IMAGE_ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".dcm", ".dicom"}
)

ORGANS = (*LUNG_SIDES, "heart")
"""What a label map shows, from value 1 on."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image of a collection as it lies on disk."""

    image: Path
    values: Mapping[str, str]  # columns of the manifest except `image` and `mask`; no value is ""
    masks: tuple[Path, ...] = ()  # files that together are the lungs; none where the image has no mask
    # each of `ORGANS` and its mask; empty where one is missing
    organs: Mapping[str, Path] = field(default_factory=dict)
    # each a list of int32 [point, (x, y)] polygons in pixels of the image; inside of an odd number of them is lung.
    # Several outlines are joined
    outlines: tuple[tuple[Int32, ...], ...] = ()
    size: tuple[int, int] | None = None  # height and width that `outlines` are drawn for

    @property
    def is_raw(self) -> bool:
        """Whether it is a JSRT file, which has no header that tells its size."""
        return self.image.suffix.lower() == ".img"


@dataclass(kw_only=True)
class Collection:
    """Images that were found, how many were left out for each reason, and what a user should know."""

    entries: list[Entry] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def need_folder(folder: Path, *names: str, layout: str) -> Path:
    """The first of the folders `names` in `folder` that exists."""
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    msg = f"{folder}: has no folder {' or '.join(names)}; give the folder that the {layout} collection unpacks to"
    raise ManifestError(msg)


def images_in(folder: Path, collection: Collection) -> Iterator[Path]:
    """Image files directly in `folder` in the order of their names; other files are counted as left out."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith(".") or path.name == "Thumbs.db":
            continue
        if path.suffix.lower() in IMAGE_ENDINGS:
            yield path
        else:
            collection.left_out["not an image by its name"] += 1


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file by lower-case, trimmed column names."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            return [dict(zip(header, map(str.strip, row), strict=False)) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: is not a readable CSV file ({type(error).__name__}); copy it from the collection again"
        raise ManifestError(msg) from error
