"""One name in several spellings: columns, patients, labels and paths, as spreadsheets and people write them."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

_WHOLE = re.compile(r"\d+\.0*")
_EXCEL_TEXT = re.compile(r'="(.*)"|\'(.*)')  # ="0123" and '0123, by which a spreadsheet keeps text
_PATIENT = frozenset(
    {"patient", "patientnr", "patientnumber", "subject", "subjectid", "person", "personid", "pid", "mrn"}
)
_SPLIT = frozenset({"set", "subset", "partition", "phase", "datasplit"})


def plain(text: str) -> str:
    """The text in one form of Unicode, without characters that nobody sees."""
    shown = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFC", shown).strip()


def column_key(name: str) -> str:
    """What `patient_id`, `PatientID`, `Patient ID` and `patient-id` have in common."""
    return re.sub(r"[\s_-]", "", plain(name)).casefold()


def person_key(name: str) -> str:
    """What the spellings of one patient have in common: `00123`, `123`, `123.0` and `="123"`; `P1` and `p1`."""
    found = _EXCEL_TEXT.fullmatch(name)
    key = plain(next(filter(None, found.groups()), "") if found else name).casefold()
    if _WHOLE.fullmatch(key):
        key = key.partition(".")[0]
    return key.lstrip("0") or key if key.isdecimal() else key


def label_key(name: str) -> str:
    """What the spellings of one class have in common: `Non-Covid` and `non covid`, `1` and `1.0`."""
    key = column_key(name)
    return key.partition(".")[0] if _WHOLE.fullmatch(key) else key


def rename_columns(header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The header with the `wanted` names for columns that are spelt otherwise, where only one column can be meant."""
    names = list(header)
    keys = [column_key(name) for name in header]
    for name in wanted:
        if name not in names and keys.count(column_key(name)) == 1:
            names[keys.index(column_key(name))] = name
    return names


def unused_columns(header: Sequence[str], patient: str, split: str) -> Iterator[tuple[str, str]]:
    """Columns that look like that of the patient, or of the split, but are not read; and the option that names it."""
    for wanted, option, words in ((patient, "--patient-column", _PATIENT), (split, "--split-column", _SPLIT)):
        for name in header:
            key = column_key(name)
            if name != wanted and (key == column_key(wanted) or (wanted not in header and key in words)):
                yield name, option


def find_path(folder: Path, cell: str) -> Path:
    """The file that a cell names, against a folder: as written, or with its slashes or accents as this system has them.

    What does not exist by any spelling comes back as it is written.
    """
    written = folder / cell
    if cell.isascii() and "\\" not in cell:
        return written
    slashes = (cell, cell.replace("\\", os.sep))
    spellings = [
        each for text in slashes for each in (text, *(unicodedata.normalize(to, text) for to in ("NFC", "NFD")))
    ]
    return next((folder / each for each in dict.fromkeys(spellings) if os.path.lexists(folder / each)), written)
