"""The character set of a header (PS3.3 C.12.1.1.2): the declared one where it is valid and fits, else one that does."""

import codecs
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.charset import CODES_TO_ENCODINGS, decode_bytes, default_encoding, encode_string, python_encoding

UTF_8: Final = "ISO_IR 192"

_TERMS: Final = {
    **{term: codec for term, codec in python_encoding.items() if term not in ("", "ISO 2022 GBK", "ISO 2022 58")},
    **{"ISO_IR 6": "ascii", "ISO 2022 IR 6": "ascii", "ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"},
}
_SELDOM_KNOWN: Final = frozenset({"ISO_IR 13", "ISO_IR 203", "GBK"})
"""Terms of the standard that many archives and validators do not know; their text is written as UTF-8."""

_MISSPELT = re.compile(r"ISO[ _-]*(?:2022[ _-]*)?IR[ _-]*(\d+)", re.IGNORECASE)
_INVALID = re.compile("[\x1b\x80-\x9f\ufffd]")
_ESCAPES: Final = tuple(CODES_TO_ENCODINGS)
_DELIMITERS: Final = "\\^=\r\n\t\f"


@dataclass(frozen=True, kw_only=True)
class CharacterSet:
    """How the text of a header is to be read and written."""

    terms: tuple[str, ...]  # values for Specific Character Set (0008,0005); empty for ASCII
    # Python's names of the codecs that read the text: the first one, and those to which escape sequences in it switch
    codecs: tuple[str, ...]
    is_kept: bool = True  # whether the text stays as it is encoded; otherwise it is re-encoded as UTF-8
    correction: str = ""  # what is wrong with the declared set, "" where nothing is

    def decode(self, value: bytes) -> str:
        """Return the text of a value; bytes that the codecs do not know become U+FFFD."""
        text = _decode(value, self.codecs)
        if not self.is_kept and _INVALID.search(text):  # a set that should end at the next delimiter does not
            return _decode(value, self.codecs, delimiters="")
        return text

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text."""
        if not self.is_kept:
            return text.encode("utf-8", "replace")
        if len(self.codecs) == 1:
            return text.encode(self.codecs[0], "replace")
        parts = re.split(f"([{re.escape(_DELIMITERS)}])", text)
        # pydicom ends a part by the escape sequence of its own name for the default set
        names = [default_encoding if name == "ascii" else name for name in self.codecs]
        return b"".join(encode_string(part, names) for part in parts if part)


def find_character_set(declared: Sequence[str], texts: Collection[bytes]) -> CharacterSet:
    """Return the character set that `declared` means, or the most likely one if it is invalid or does not fit."""
    terms = tuple(declared)
    is_switched = any(code in text for text in texts for code in _ESCAPES)
    is_ascii = not is_switched and all(text.isascii() for text in texts)
    named = tuple(codec for term in terms or ("",) if (codec := _codec(term or "ISO_IR 6")))
    if not terms and is_ascii:
        return CharacterSet(terms=(), codecs=("ascii",))
    is_valid = _is_valid(terms)
    if is_valid and (is_ascii or _fits(named, texts)):
        if not is_ascii and terms[0] in _SELDOM_KNOWN and len(terms) == 1:
            return _as_utf_8(named, "is one that many archives do not know")
        return CharacterSet(terms=terms, codecs=named)
    problem = (
        "is missing although the text is not ASCII"
        if not any(terms)
        else ("does not fit the text" if is_valid else "is not a defined term")
    )
    if is_ascii:
        return CharacterSet(terms=(), codecs=("ascii",), correction=f"{problem}; left out, since the text is ASCII")
    if UTF_8 in terms and not all(text.decode(errors="ignore").isascii() for text in texts):  # cut within a character
        return CharacterSet(terms=(UTF_8,), codecs=("utf-8",), correction=f"{problem}; unknown bytes were replaced")
    if is_switched:
        return _as_utf_8((*named[:1], *CODES_TO_ENCODINGS.values()), problem)
    return _guess(named, texts, problem)


def _is_valid(terms: tuple[str, ...]) -> bool:
    """Return whether terms stand together: one without code extensions, or several that all have them."""
    if len(terms) == 1:
        return terms[0] in _TERMS and not terms[0].startswith("ISO 2022")
    return (
        bool(terms)
        and (not terms[0] or terms[0] in _TERMS)
        and all(term in _TERMS and term.startswith("ISO 2022") for term in terms[1:])
    )


def _codec(name: str) -> str | None:
    """Return Python's codec for a term, or for a name that is not one, None if Python has none."""
    if name in _TERMS:
        return _TERMS[name]
    if found := _MISSPELT.fullmatch(name.strip()):
        return _TERMS.get(f"ISO_IR {found[1]}") or _TERMS.get(f"ISO 2022 IR {found[1]}")
    try:
        codec = codecs.lookup(name.strip())
        return codec.name if codec._is_text_encoding and "A".encode(codec.name) == b"A" else None
    except (LookupError, ValueError):
        return None


def _decode(value: bytes, names: Sequence[str], delimiters: str = _DELIMITERS) -> str:
    """Return the text of a value in codecs between which escape sequences switch, U+FFFD for what they do not know."""
    if len(names) == 1:
        return value.decode(names[0], "replace")
    return decode_bytes(value, names, set(delimiters.encode())).replace("\x1b$)A", "")  # which pydicom leaves


def _fits(names: Sequence[str], texts: Collection[bytes]) -> bool:
    """Return whether all texts can be read by codecs and hold no control characters of the upper half."""
    return bool(names) and not any(_INVALID.search(_decode(text, names)) for text in texts)


def _guess(named: Sequence[str], texts: Collection[bytes], problem: str) -> CharacterSet:
    """Return the set of the codec that the header names in its own words, or UTF-8, or else Windows-1252."""
    likely = (*sorted(named, key=lambda name: codecs.lookup(name).name != "utf-8"), "utf-8", "latin-1")
    codec = next((each for each in likely if each != "ascii" and _fits([each], texts)), "cp1252")
    name = codecs.lookup(codec).name
    term = next((term for term, known in _TERMS.items() if _is_plain(term) and codecs.lookup(known).name == name), "")
    if term:
        return CharacterSet(terms=(term,), codecs=(codec,), correction=f"{problem}; declared as {term}")
    return _as_utf_8((codec,), problem)


def _as_utf_8(names: Sequence[str], problem: str) -> CharacterSet:
    how = f"text read as {names[0]}" if len(names) == 1 else "text read by its escape sequences"
    correction = f"{problem}; {how}, written as {UTF_8}"
    return CharacterSet(terms=(UTF_8,), codecs=tuple(names), is_kept=False, correction=correction)


def _is_plain(term: str) -> bool:
    """Return whether a term stands for a set without escape sequences that is widely known, and not the default one."""
    return not term.startswith("ISO 2022") and term not in _SELDOM_KNOWN | {"ISO_IR 6"}
