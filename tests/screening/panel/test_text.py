import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.screening.panel.text import ELLIPSIS, ellipsise, font, plain, score_text, text_coverage, text_width, wrap


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("chest_7.dcm", "chest_7.dcm"),
        ("a\nb\tc", r"a\nb\tc"),
        ("Müller", "Muller"),
        ("u\u0308ber", "uber"),
        ("\u4e2d.png", r"\u4e2d.png"),
        ("abc\u202egnp", r"abc\u202egnp"),
        ("8\u20136 \u00d7", "8-6 x"),
        ("\udcff", r"\udcff"),
    ],
)
def test_plain_shows(text, seen):
    assert plain(text) == seen


@given(st.text(st.characters(codec=None), max_size=80))
def test_plain_is_stable(text):
    assert plain(plain(text)) == plain(text)


@given(st.text(st.characters(codec=None), max_size=20))
def test_coverage_is_never_empty(text):
    coverage, _, _ = text_coverage(text, 20)
    assert coverage.size > 0


def _glyph(character):
    mask = font(24).getmask(character)
    return mask.size, bytes(mask)


def test_font_has_all_glyphs():
    drawn = {chr(code) for code in range(33, 127)} | set("\u2026\u00b1\u00b0\u201c\u201d\u2019")
    assert [character for character in sorted(drawn) if _glyph(character) == _glyph("\uffff")] == []


def test_ellipsise_keeps_both_ends():
    words = ellipsise("study_" + "x" * 300 + "_0042.dcm", 20, 300)
    assert words.startswith("study_")
    assert words.endswith("0042.dcm")
    assert ELLIPSIS in words


def test_ellipsise_leaves_a_text_that_fits():
    assert ellipsise("chest.dcm", 20, 300) == "chest.dcm"


@given(st.text(max_size=400), st.integers(40, 900))
def test_ellipsised_text_fits(text, width):
    assert text_width(ellipsise(text, 20, width), 20) <= width


@given(st.text(max_size=400), st.integers(100, 900))
def test_wrapped_lines_fit(text, width):
    assert all(text_width(line, 20) <= width for line in wrap(text, 20, width))


def test_wrap_keeps_every_word_when_there_is_room():
    words = "lungs cover 2 % of the image; 8-70 % is plausible"
    assert " ".join(wrap(words, 20, 200)) == words


def test_wrap_stops_at_the_last_line():
    assert len(wrap("word " * 500, 20, 200, max_lines=3)) == 3


def test_wrap_of_nothing_is_no_line():
    assert wrap("", 20, 200) == []


@pytest.mark.parametrize(
    ("score", "seen"),
    [(0, "< 0.01"), (0.0049, "< 0.01"), (0.005, "0.01"), (0.94, "0.94"), (0.9951, "> 0.99"), (1, "> 0.99")],
)
def test_score_reads(score, seen):
    assert score_text(score) == seen
