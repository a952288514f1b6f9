"""One image as the service lists it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

EntryStatus = Literal["waiting", "screening", "scored", "refused", "failed"]


@dataclass(frozen=True)
class Entry:
    """One image as the page lists it."""

    number: int  # what it is called by
    status: EntryStatus  # where it is, or what was found
    score: float | None = None  # of the first class; None unless scored
    uncertain: bool = False  # whether the folds leave the answer open
    objects: tuple[str, ...] = ()  # names of the DICOM objects that can be had of it

    def record(self) -> dict[str, Any]:
        """Return what the API answers."""
        return asdict(self)


def entry_of(number: int, record: Mapping[str, Any], objects: tuple[str, ...]) -> Entry:
    """Return what the list shows of a record; its first class is that of the model that screened the image."""
    scores = record["scores"]
    score = next(iter(scores.values())) if scores else None
    return Entry(number, record["status"], score, bool(record["uncertain"]), objects)
