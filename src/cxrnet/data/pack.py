"""Prepared films, masks, classes and weights in one HDF5 file (paper 2.2.2.1).

    X   uint8 [film, height, width]   prepared images; attributes `mean` and `std` of the training films
    M   uint8 [film, height, width]   lung masks, 255 is certain lung; only where every row has one
    y   int64 [film]                  class index into the attribute `classes`, -1 without a label
    w   float32 [film]                class weight, 1 on average over the training films
    row text [film]                   the row of the manifest as JSON

Standardised images would be float32: (X - mean) / std gives them back exactly, from a quarter of the bytes.
Training films are those with the split `train` where a row has one, else all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Self

from cxrnet.arrays import UInt8
from cxrnet.errors import ManifestError, MissingExtraError
from cxrnet.model.config import PreparationConfig, Standardisation

FORMAT = 1


class Item(NamedTuple):
    """One film of a pack: uint8 [height, width] image and mask (None without), class index, class weight."""

    image: UInt8
    mask: UInt8 | None
    label: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a pack says of itself: how films were prepared, class names in order, grey values of training films."""

    preparation: PreparationConfig
    classes: tuple[str, ...]
    standardisation: Standardisation
    weights: tuple[float, ...]


class Pack:
    """A pack on disk, indexed like a list of `Item`; usable by any number of worker processes.

    The file is opened when it is first read from, again in every process: a handle is not carried over a fork,
    nor pickled.

    Args:
        path: The file.

    Raises:
        ManifestError: It is not a pack.
        MissingExtraError: h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._process = -1
        try:
            stored = self._open()
            self.header = _read_header(stored)
            self._length, self.has_masks = len(stored["X"]), "M" in stored
        except (OSError, KeyError, ValueError) as error:
            self.close()
            msg = f"{path}: is not a pack ({type(error).__name__}); make one with `cxrnet data pack`"
            raise ManifestError(msg) from error

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path.name}: has {len(self)} films, not a film {index}")
        index %= len(self)
        stored = self._open()
        mask = stored["M"][index] if self.has_masks else None
        return Item(stored["X"][index], mask, int(stored["y"][index]), float(stored["w"][index]))

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def rows(self) -> list[dict[str, str]]:
        """The rows of the manifest in the order of the films."""
        return [json.loads(row) for row in self._open()["row"].asstr()[:]]

    def close(self) -> None:
        """Close the file of this process; reading opens it again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_process": -1}

    def _open(self) -> Any:
        if self._file is None or self._process != os.getpid():
            self.close()  # in a forked process, its copy of the parent's handle
            self._file, self._process = open_library().File(self.path, "r"), os.getpid()
        return self._file


def _read_header(file: Any) -> Header:
    if int(file.attrs["format"]) != FORMAT:
        raise ValueError(f"format {file.attrs['format']}")
    stored: Mapping[str, Any] = file["X"].attrs
    return Header(
        preparation=PreparationConfig.model_validate_json(file.attrs["preparation"]),
        classes=tuple(json.loads(file.attrs["classes"])),
        standardisation=Standardisation(mean=float(stored["mean"]), std=float(stored["std"])),
        weights=tuple(json.loads(file.attrs["weights"])),
    )


def open_library() -> ModuleType:
    """h5py, imported when it is needed.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingExtraError("packs: h5py is not installed; pip install 'cxrnet[train]'") from error
    return h5py  # type: ignore[no-any-return]
