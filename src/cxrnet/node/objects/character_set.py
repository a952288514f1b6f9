"""The character set of a header (PS3.3 C.12.1.1.2): the declared one where it is valid and fits, else one that does."""

import codecs
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.charset import python_encoding

UTF_8: Final = "ISO_IR 192"

_TERMS: Final = {
    **{term: codec for term, codec in python_encoding.items() if term not in ("", "ISO 2022 GBK", "ISO 2022 58")},
    **{"ISO_IR 6": "ascii", "ISO 2022 IR 6": "ascii", "ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"},
}
_MISSPELT = re.compile(r"ISO[ _-]*IR[ _-]*(\d+)", re.IGNORECASE)
_CONTROL = re.compile("[\x80-\x9f]")


@dataclass(frozen=True, kw_only=True)
class CharacterSet:
    """How the text of a header is to be read and written."""

    terms: tuple[str, ...]  # values for Specific Character Set (0008,0005); empty for ASCII
    # Python's name of the codec that reads the text; None where values switch sets by escape sequences, which are
    # kept as they are
    codec: str | None
    is_kept: bool = True  # whether the text stays as it is encoded; otherwise it is re-encoded as UTF-8
    correction: str = ""  # what is wrong with the declared set, "" where nothing is

    def decode(self, value: bytes) -> str:
        """Return the text of a value; bytes that the codec does not know become U+FFFD."""
        return value.decode(self.codec or "latin-1", "replace")

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text."""
        return text.encode((self.codec or "latin-1") if self.is_kept else "utf-8", "replace")


def find_character_set(declared: Sequence[str], texts: Collection[bytes]) -> CharacterSet:
    """Return the character set that `declared` means, or the most likely one if it is invalid or does not fit."""
    terms = tuple(declared)
    if len(terms) > 1 and (not terms[0] or terms[0] in _TERMS) and _are_extensions(terms[1:]):
        return CharacterSet(terms=terms, codec=None)
    first = terms[0] if terms else ""
    is_valid = len(terms) == 1 and first in _TERMS
    if is_valid and first.startswith("ISO 2022") and any(b"\x1b" in text for text in texts):
        return CharacterSet(terms=terms, codec=None)
    named = _TERMS[first] if is_valid else _codec(first)
    is_ascii = all(text.isascii() for text in texts)
    if is_valid and (is_ascii or _fits(named, texts)):
        return CharacterSet(terms=terms, codec=named)
    if not terms and is_ascii:
        return CharacterSet(terms=(), codec="ascii")
    return _guess(named, texts, is_ascii=is_ascii, problem=_problem(terms, is_valid=is_valid))


def _problem(terms: tuple[str, ...], *, is_valid: bool) -> str:
    if not any(terms):
        return "is missing although the text is not ASCII"
    return "does not fit the text" if is_valid else "is not a defined term"


def _are_extensions(terms: tuple[str, ...]) -> bool:
    return all(term in _TERMS and term.startswith("ISO 2022") for term in terms)


def _codec(name: str) -> str | None:
    """Return Python's codec for a name that is not a term of the standard, None if Python has none."""
    if found := _MISSPELT.fullmatch(name.strip()):
        return _TERMS.get(f"ISO_IR {found[1]}")
    try:
        codec = codecs.lookup(name.strip())
        return codec.name if codec._is_text_encoding and "A".encode(codec.name) == b"A" else None
    except (LookupError, ValueError):
        return None


def _fits(codec: str | None, texts: Collection[bytes]) -> bool:
    """Return whether all texts can be read by a codec and hold no control characters of the upper half."""
    if codec is None:
        return False
    try:
        return not any(_CONTROL.search(text.decode(codec)) for text in texts)
    except UnicodeError:
        return False


def _guess(named: str | None, texts: Collection[bytes], *, is_ascii: bool, problem: str) -> CharacterSet:
    """Return the set of the codec that the header names in its own words, or UTF-8, or else Windows-1252."""
    if is_ascii:
        return CharacterSet(terms=(), codec="ascii", correction=f"{problem}; left out, since the text is ASCII")
    codec = next((each for each in (named, "utf-8", "cp1252") if _fits(each, texts)), "cp1252")
    if codec == "cp1252" and _fits("latin-1", texts):
        codec = "latin-1"
    name = codecs.lookup(codec or "cp1252").name
    term = next((term for term, known in _TERMS.items() if _is_plain(term) and codecs.lookup(known).name == name), "")
    if term:
        return CharacterSet(terms=(term,), codec=codec, correction=f"{problem}; declared as {term}")
    return CharacterSet(
        terms=(UTF_8,), codec=codec, is_kept=False, correction=f"{problem}; text read as {codec}, written as {UTF_8}"
    )


def _is_plain(term: str) -> bool:
    """Return whether a term stands for a set without escape sequences, and is not the default one."""
    return not term.startswith("ISO 2022") and term != "ISO_IR 6"
