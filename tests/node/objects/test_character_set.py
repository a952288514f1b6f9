import pytest

from cxrnet.node.objects.character_set import find_character_set

LATIN, UTF_8 = "Müller".encode("latin-1"), "Müller".encode()


@pytest.mark.parametrize(
    ("declared", "text", "terms"),
    [
        ([], b"Doe", ()),
        (["ISO_IR 100"], LATIN, ("ISO_IR 100",)),
        (["ISO_IR 192"], UTF_8, ("ISO_IR 192",)),
        (["", "ISO 2022 IR 87"], b"\x1b$B;3ED\x1b(B", ("", "ISO 2022 IR 87")),
        (["GB18030"], "王".encode("gb18030"), ("GB18030",)),
    ],
)
def test_a_valid_character_set_is_kept(declared, text, terms):
    found = find_character_set(declared, [text])
    assert (found.terms, found.is_kept, found.correction) == (terms, True, "")


@pytest.mark.parametrize(
    ("declared", "text", "terms"),
    [
        (["Not Supplied"], b"Doe", ()),
        (["Not Supplied"], LATIN, ("ISO_IR 100",)),
        (["Not Supplied"], UTF_8, ("ISO_IR 192",)),
        ([], LATIN, ("ISO_IR 100",)),
        (["ISO-8859-1"], LATIN, ("ISO_IR 100",)),
        (["iso_ir_144"], "Иванов".encode("iso8859-5"), ("ISO_IR 144",)),
        (["UTF-8"], UTF_8, ("ISO_IR 192",)),
        (["ISO_IR 192"], LATIN, ("ISO_IR 100",)),
        (["ISO_IR 100", "ISO_IR 144"], LATIN, ("ISO_IR 100",)),
    ],
)
def test_an_invalid_character_set_is_replaced_and_the_bytes_stay(declared, text, terms):
    found = find_character_set(declared, [text])
    assert (found.terms, found.is_kept) == (terms, True)
    assert found.correction
    assert found.encode(found.decode(text)) == text


@pytest.mark.parametrize(
    ("declared", "codec"), [(["windows-1251"], "cp1251"), (["ISO_IR 100"], "cp1252"), (["KOI8-R"], "koi8-r")]
)
def test_text_in_a_set_that_the_standard_lacks_becomes_utf_8(declared, codec):
    text = "Иванов" if codec != "cp1252" else "Zoë…"
    found = find_character_set(declared, [text.encode(codec)])
    assert found.terms == ("ISO_IR 192",)
    assert found.encode(found.decode(text.encode(codec))).decode() == text


YAMADA = b"Yamada=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
HONG = b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, which objects are made without
@pytest.mark.parametrize(
    ("declared", "text", "wanted"),
    [
        ([], YAMADA, "Yamada=山田^太郎"),
        (["ISO 2022 IR 87"], YAMADA, "Yamada=山田^太郎"),
        (["ISO_IR 100"], YAMADA, "Yamada=山田^太郎"),
        (["ISO_IR 13", "ISO_IR 87"], YAMADA, "Yamada=山田^太郎"),
        (["ISO 2022 IR 149"], HONG, "Hong=洪^吉洞"),
        (["ISO 2022 IR 149"], HONG.replace(b"\x1b$)C", b""), "Hong=洪^吉洞"),
        (["", "ISO 2022 IR 149"], HONG.replace(b"\x1b$)C", b""), "Hong=洪^吉洞"),
        (["", "ISO 2022 IR 144"], b"\x1b-L" + "Люк^Иван".encode("iso8859_5"), "Люк^Иван"),
        (["ISO 2022 IR 58"], b"\x1b$)A\xd5\xc5", "张"),
        (["Shift_JIS"], "山田^太郎".encode("shift_jis"), "山田^太郎"),
        (["ISO_IR 13"], b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        (["GBK"], "王".encode("gbk"), "王"),
    ],
)
def test_text_whose_sets_are_declared_wrongly_or_seldom_known_becomes_utf_8(declared, text, wanted):
    found = find_character_set(declared, [text])
    assert (found.terms, found.decode(text), found.encode(found.decode(text)).decode()) == (
        ("ISO_IR 192",),
        wanted,
        wanted,
    )
    assert found.correction


def test_text_that_is_rewritten_stays_in_the_sets_that_it_switches_between():
    found = find_character_set(["", "ISO 2022 IR 87"], [YAMADA])
    assert found.decode(found.encode("Yamada=山田^太郎")) == "Yamada=山田^太郎"
    assert found.encode("Yamada=山田^太郎") == YAMADA


def test_utf_8_that_was_cut_within_a_character_stays_utf_8():
    found = find_character_set(["ISO_IR 192"], ["山田".encode()[:-1]])
    assert (found.terms, found.decode("山田".encode()[:-1])) == (("ISO_IR 192",), "山\ufffd")
