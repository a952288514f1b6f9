"""The images of a long run, cut into partitions; they are kept in a temporary database on disk, not in memory."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from cxrnet.screening.inputs import Input, Search, contradiction, each_source, folder_names, no_images, place_finder
from cxrnet.screening.manifest import Source
from cxrnet.screening.store import is_address

PARTITION = 500
"""Maximum number of images in a partition: half a minute of work of one core."""

_MIN_PARTITION, _PARTITIONS = 20, 64


@dataclass(frozen=True)
class Partition:
    """Neighbouring images of a run."""

    number: int  # its place in the run, from 0
    rows: Sequence[tuple[bytes, str]]  # source and patient data of each image, as the plan keeps them

    @cached_property
    def items(self) -> tuple[Input, ...]:
        """The images; their results go into `images/<number>`."""
        sources = [_source(text) for text, _ in self.rows]
        return tuple(
            Input.of(source, f"images/{self.number:05d}/{folder}", json.loads(patient) if patient else {})
            for source, folder, (_, patient) in zip(sources, folder_names(sources), self.rows, strict=True)
        )

    @cached_property
    def file(self) -> str:
        """Name of its table: other images or patient data make another name, so that it tells whose rows it has."""
        digest = hashlib.sha256(repr(self.rows).encode()).hexdigest()
        return f"part-{self.number:05d}-{digest[:16]}.parquet"


class Plan:
    """Images in their order, each once however its path is spelled, with their patient data, and notes on the rest."""

    def __init__(self, sources: Iterable[tuple[Source, Mapping[str, str]]], notes: Sequence[str] = ()) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file of SQLite's own
        self._database.execute(
            "CREATE TABLE images (number INTEGER PRIMARY KEY, source BLOB, place BLOB UNIQUE, patient TEXT)"
        )
        self._database.execute("BEGIN")
        self._place_of = place_finder()
        for source, patient in sources:
            self._add(source, json.dumps(dict(patient)) if patient else "")
        self._count = int(self._database.execute("SELECT count(*) FROM images").fetchone()[0])
        self.notes = tuple(notes)

    @classmethod
    def of(
        cls, named: Sequence[str], *, image_column: str, exclude: Path | None, patient_columns: Sequence[str]
    ) -> Self:
        """Return the plan for what the user named; see `find_inputs`."""
        search = Search.leaving_out(exclude)
        plan = cls(each_source(named, search, image_column=image_column, patient_columns=patient_columns))
        if not plan:
            raise no_images(named)
        plan.notes = search.notes
        return plan

    def __len__(self) -> int:
        return self._count

    @property
    def default_size(self) -> int:
        """Images per partition unless the user says: fewer in a short run, so that there is one for every worker."""
        return min(PARTITION, max(_MIN_PARTITION, -(-len(self) // _PARTITIONS)))

    def partitions(self, size: int) -> Iterator[Partition]:
        """Yield the partitions of `size` images in their order, one in memory at a time."""
        for number, first in enumerate(range(0, len(self), size)):
            rows = self._database.execute(
                "SELECT source, patient FROM images WHERE number BETWEEN ? AND ? ORDER BY number",
                (first + 1, first + size),
            ).fetchall()
            yield Partition(number, rows)

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def _add(self, source: Source, patient: str) -> None:
        row = (os.fsencode(source), place := os.fsencode(self._place_of(source)), patient)
        if self._database.execute("INSERT OR IGNORE INTO images VALUES (NULL, ?, ?, ?)", row).rowcount:
            return
        ((earlier,),) = self._database.execute("SELECT patient FROM images WHERE place = ?", (place,))
        if earlier and patient and earlier != patient:
            raise contradiction(source)
        if patient:
            self._database.execute("UPDATE images SET patient = ? WHERE place = ?", (patient, place))


def _source(text: bytes) -> Source:
    name = os.fsdecode(text)
    return name if is_address(name) else Path(name)
