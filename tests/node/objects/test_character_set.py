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
