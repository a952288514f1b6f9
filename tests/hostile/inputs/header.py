"""DICOM headers that lie, contradict themselves, or never end."""

import struct

import numpy as np

from tests.hostile.inputs.material import (
    body_of,
    chest,
    element,
    encoded,
    place_of,
    plain,
    with_element,
)
from tests.hostile.inputs.register import DONE, bad, bad_copies, write

MISSING = ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelRepresentation")
LIES = {
    "rows_0": {"Rows": 0},
    "rows_1": {"Rows": 1},
    "rows_and_columns_65535": {"Rows": 65535, "Columns": 65535},
    "rows_more_than_there_are": {"Rows": 131},
    "samples_0": {"SamplesPerPixel": 0},
    "samples_3": {"SamplesPerPixel": 3},
    "allocated_0": {"BitsAllocated": 0},
    "allocated_12": {"BitsAllocated": 12},
    "allocated_64": {"BitsAllocated": 64},
    "allocated_65535": {"BitsAllocated": 65535},
    "stored_0": {"BitsStored": 0},
    "stored_20": {"BitsStored": 20},
    "high_bit_3": {"HighBit": 3},
    "high_bit_65535": {"HighBit": 65535},
    "sign_7": {"PixelRepresentation": 7},
    "frames_3": {"NumberOfFrames": 3},
    "frames_2147483647": {"NumberOfFrames": 2147483647},
    "photometric_nonsense": {"PhotometricInterpretation": "MONOCHROME9"},
    "photometric_missing": {"PhotometricInterpretation": None},
    "photometric_rgb": {"PhotometricInterpretation": "RGB"},
    "photometric_ybr": {"PhotometricInterpretation": "YBR_FULL_422"},
    "photometric_palette": {"PhotometricInterpretation": "PALETTE COLOR"},
}
SYNTAXES = {
    "unknown": "1.2.3.4.5",
    "video": "1.2.840.10008.1.2.4.100",
    "jpip_reference": "1.2.840.10008.1.2.4.94",
    "text": "../../../../etc/passwd",
    "xml": "1.2.840.10008.1.2.6.2",
}
ROWS = {
    "UL": struct.pack("<I", 130),
    "UL_2147483647": struct.pack("<I", 2**31 - 1),
    "LO": b"a hundred ",
    "FD": struct.pack("<d", float("nan")),
    "SQ": b"",
    "OB": bytes(6),
    "US_two_values": struct.pack("<HH", 130, 130),
    "US_three_bytes": b"\x82\0\0",
    "US_empty": b"",
    "XX": b"\x82\0",
}


@bad_copies(((name.lower(), name) for name in MISSING), "UNREADABLE")
def without(folder, keyword):
    return write(folder, encoded(chest(**{keyword: None})))


@bad_copies(LIES.items(), "UNREADABLE", "TOO_SMALL", "TOO_LARGE", "MULTI_FRAME", "COLOUR")
def lie(folder, attributes):
    return write(folder, encoded(chest(**attributes)))


@bad_copies(ROWS.items(), "UNREADABLE", "TOO_LARGE", "NO_PIXELS", DONE)
def rows_as(folder, value, kind=None):
    kind = next(name for name, content in ROWS.items() if content is value)[:2]
    return write(folder, with_element(element(0x28, 0x10, kind, value), 0x28, 0x10))


@bad_copies(SYNTAXES.items(), "UNREADABLE", DONE)
def syntax(folder, uid):
    data = plain()
    old = b"1.2.840.10008.1.2.1\0"
    new = uid.encode() + b"\0" * (len(uid) % 2)
    at = data.index(old)
    data = data[: at - 2] + struct.pack("<H", len(new)) + new + data[at + len(old) :]
    length = struct.unpack("<I", data[140:144])[0] + len(new) - len(old)
    return write(folder, data[:140] + struct.pack("<I", length) + data[144:])


@bad("UNREADABLE", "NO_PIXELS")
def big_endian_that_is_little(folder):
    return write(folder, plain().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"))


@bad("UNREADABLE", "NO_PIXELS", DONE)
def implicit_that_is_explicit(folder):
    return write(folder, plain().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"))


@bad("UNREADABLE", "NO_PIXELS")
def length_of_4_gigabytes(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    return write(folder, data[:at] + element(0x19, 0x10, "UN", b"", length=0xFFFFFFF0) + data[at:])


@bad("UNREADABLE", "NO_PIXELS", "DECODER_MEMORY")
def pixels_of_4_gigabytes(folder):
    data = plain()
    at = place_of(data, 0x7FE0, 0x10)
    return write(folder, data[: at + 8] + struct.pack("<I", 0xFFFFFFFE) + data[at + 12 : at + 100])


@bad("UNREADABLE", "NO_PIXELS")
def plain_pixels_of_undefined_length(folder):
    data = plain()
    at = place_of(data, 0x7FE0, 0x10)
    return write(folder, data[: at + 8] + b"\xff" * 4 + data[at + 12 :])


@bad("UNREADABLE", "NO_PIXELS")
def sequence_without_end(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    opened = element(0x18, 0x26, "SQ", b"\xfe\xff\0\xe0\xff\xff\xff\xff", length=0xFFFFFFFF)
    return write(folder, data[:at] + opened + data[at:])


@bad("UNREADABLE")
def sequences_in_sequences(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    opened = element(0x18, 0x26, "SQ", b"\xfe\xff\0\xe0\xff\xff\xff\xff", length=0xFFFFFFFF)
    return write(folder, data[:at] + opened * 3000 + data[at:])


@bad("UNREADABLE", DONE)
def lut_sequences_in_lut_sequences(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    opened = element(0x28, 0x3000, "SQ", b"\xfe\xff\0\xe0\xff\xff\xff\xff", length=0xFFFFFFFF)
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return write(folder, data[:at] + opened * 900 + closed * 900 + data[at:])


@bad(DONE, "UNREADABLE", "DECODER_TIME", slow=True)
def a_million_elements(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    many = b"".join(element(0x19 + 2 * (n >> 16), n & 0xFFFF, "SH", b"xx") for n in range(0x1000, 1_000_000))
    return write(folder, data[:at] + many + data[at:])


@bad(DONE, "UNREADABLE", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def name_of_200_megabytes(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    return write(folder, data[:at] + element(0x10, 0x4000, "UT", b"A" * 200_000_000) + data[at:])


@bad("UNREADABLE", "NO_PIXELS", DONE)
def unknown_value_representation(folder):
    data = plain()
    at = place_of(data, 0x28, 0x2)
    return write(folder, data[: at + 4] + b"\xff\0" + data[at + 6 :])


@bad("UNREADABLE", "NO_PIXELS", "DECODER_MEMORY")
def odd_representation_in_the_meta_information(folder):
    data = plain()
    strange = element(0x2, 0x100, "OW", b"\0" * 8, length=0x7FFFFFF0)
    at = body_of(data)
    return write(folder, data[:140] + struct.pack("<I", at - 144 + len(strange)) + data[144:at] + strange + data[at:])


@bad("UNREADABLE", "NO_PIXELS", DONE)
def group_length_that_lies(folder):
    data = plain()
    return write(folder, data[:140] + struct.pack("<I", 0x7FFFFFFF) + data[144:])


@bad(DONE, "UNREADABLE")
def elements_twice_and_in_disorder(folder):
    data = plain()
    at = place_of(data, 0x28, 0x10)
    return write(folder, data[:at] + element(0x28, 0x100, "US", b"\x08\0") + data[at : at + 10] + data[at:])


@bad(DONE, "UNREADABLE")
def two_pixel_data(folder):
    data = plain()
    return write(folder, data + data[place_of(data, 0x7FE0, 0x10) :])


@bad("UNREADABLE", "MULTI_FRAME", "NO_PIXELS")
def frames_in_words(folder):
    data = plain()
    at = place_of(data, 0x28, 0x10)
    return write(folder, data[:at] + element(0x28, 0x8, "IS", b"three ") + data[at:])


@bad(DONE)
def unknown_character_set(folder):
    return write(folder, encoded(chest(SpecificCharacterSet="ISO_IR 9999", PatientName="A^B")))


@bad("UNREADABLE")
def float_pixels_that_are_not_numbers(folder):
    values = np.full((130, 150), np.nan, np.float32)
    absent = dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
    return write(folder, encoded(chest(**absent, BitsAllocated=32, FloatPixelData=values.tobytes())))


@bad("UNREADABLE")
def float_pixels_that_are_infinite(folder):
    values = np.linspace(0, np.inf, 130 * 150)
    values[-1] = np.inf
    absent = dict.fromkeys(("PixelData", "BitsStored", "HighBit", "PixelRepresentation"))
    return write(folder, encoded(chest(**absent, BitsAllocated=64, DoubleFloatPixelData=values.tobytes())))


PATHS = {
    "climbing": "../../../../tmp/cxrnet-escape",
    "absolute": "/tmp/cxrnet-escape",
    "windows": "..\\..\\cxrnet-escape",
    "home": "~/cxrnet-escape",
    "variable": "$HOME/cxrnet-escape",
    "program": "`touch cxrnet-escape`",
    "colours": "\x1b]0;cxrnet-escape\x07\x1b[31m",
}


@bad_copies(PATHS.items(), DONE)
def path_in_identifiers(folder, text):
    data = chest(PatientName=text, AccessionNumber=text[:16])
    for tag in (0x00080018, 0x0020000D, 0x0020000E):
        data.add_new(tag, "LO", text.replace("\\", "|"))
    data.add_new(0x00100020, "LO", text)
    return write(folder, encoded(data))
