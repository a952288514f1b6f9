"""Text that always draws and always fits: characters, fonts, widths and line breaks.

The font is the one that Pillow carries, so that a panel looks alike on every machine. It knows ASCII and few
characters more; `plain` turns all others into something that it knows.
"""

import unicodedata
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cxrnet.arrays import UInt8

ELLIPSIS: Final = "\u2026"
_ALSO_DRAWN: Final = frozenset(ELLIPSIS + "\u00b1\u00b0\u201c\u201d\u2019")
_LOOKALIKES: Final = {
    "\u2010": "-",
    "\u2011": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u00d7": "x",
}
_MAX_LENGTH: Final = 2000


def plain(text: str) -> str:
    r"""The text in characters that the font has: accents fall off, others are escaped like `\n`, `\u4e2d`."""
    if text.isascii() and text.isprintable():
        return text[:_MAX_LENGTH]
    return "".join(_plain_character(character) for character in text[:_MAX_LENGTH])


def _plain_character(character: str) -> str:
    character = _LOOKALIKES.get(character, character)
    if " " <= character <= "~" or character in _ALSO_DRAWN:
        return character
    if unicodedata.combining(character):
        return ""
    letter = unicodedata.normalize("NFD", character)[0]
    if letter.isascii() and letter.isalpha():
        return letter
    return character.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=32)
def font(size: float) -> ImageFont.FreeTypeFont:
    """The bundled font at a size in pixels."""
    found = ImageFont.load_default(size=size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow: built without FreeType; install a wheel from PyPI")
    return found


@lru_cache(maxsize=512)
def text_width(text: str, size: float) -> float:
    """Width of a line of text in pixels."""
    return font(size).getlength(plain(text))


@lru_cache(maxsize=512)
def text_coverage(text: str, size: float) -> tuple[UInt8, int, int]:
    """How much of each pixel a line of text covers, uint8 [height, width], and its first column and row.

    These are counted from the start of the baseline. Cached, because most words of a panel are the same for a whole
    archive: do not write into it.
    """
    words, face = plain(text), font(size)
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words, anchor="ls"))
    image = Image.new("L", (max(right - left, 1) + 2, max(bottom - top, 1) + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), words, fill=255, font=face, anchor="ls")
    return np.asarray(image), left - 1, top - 1


def ellipsise(text: str, size: float, width: float) -> str:
    """The text, or its two ends with an ellipsis between them when it is wider than `width` pixels.

    The ends are kept because the number and the extension of a file name stand there.
    """
    words = plain(text)
    if text_width(words, size) <= width:
        return words
    fits, too_many = 0, len(words)
    while too_many - fits > 1:
        kept = (fits + too_many) // 2
        is_narrow = font(size).getlength(_ends(words, kept)) <= width
        fits, too_many = (kept, too_many) if is_narrow else (fits, kept)
    return _ends(words, fits)


def _ends(words: str, kept: int) -> str:
    tail = kept // 2
    return words[: kept - tail] + ELLIPSIS + words[len(words) - tail :]


def wrap(text: str, size: float, width: float, *, max_lines: int = 4) -> list[str]:
    """The text in at most `max_lines` lines of at most `width` pixels; an ellipsis stands for the rest."""
    lines: list[str] = []
    words = plain(text).split()
    while words and len(lines) < max_lines - 1:
        count = _words_that_fit(words, size, width)
        lines.append(ellipsise(" ".join(words[:count]), size, width))
        words = words[count:]
    rest = [ellipsise(" ".join(words), size, width)] if words else []
    return lines + rest


def _words_that_fit(words: list[str], size: float, width: float) -> int:
    count = 1
    while count < len(words) and text_width(" ".join(words[: count + 1]), size) <= width:
        count += 1
    return count


def score_text(score: float) -> str:
    """A probability with two decimals; never `0.00` or `1.00`, which no network can mean."""
    if score < 0.005:
        return "< 0.01"
    return "> 0.99" if score > 0.995 else f"{score:.2f}"
