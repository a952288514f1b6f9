"""Look-up tables, windows and slopes that cannot be applied, and radiographs without a picture."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from tests.hostile.inputs.material import chest, element, encoded, grey, place_of, plain
from tests.hostile.inputs.register import DONE, bad_copies, write

NUMBERS = {"slope_0": {"RescaleSlope": 0, "RescaleIntercept": 0}}
DISPLAYS = {
    "window_width_0": {"WindowCenter": 100, "WindowWidth": 0},
    "window_width_negative": {"WindowCenter": 100, "WindowWidth": -5},
    "window_function_unknown": {"WindowCenter": 100, "WindowWidth": 5, "VOILUTFunction": "CUBIC"},
}
TEXTS = {
    "slope_words": (0x1053, b"steep "),
    "slope_nan": (0x1053, b"NaN "),
    "slope_infinite": (0x1053, b"1e400 "),
    "slope_two_values": (0x1053, b"1\\2 "),
    "intercept_infinite": (0x1052, b"-inf"),
}
DISPLAY_TEXTS = {"window_words": (0x1050, b"middle"), "window_nan": (0x1050, b"nan ")}
EDGES = {
    "slope_tiny": {"RescaleSlope": "1e-300", "RescaleIntercept": 0},
    "slope_huge": {"RescaleSlope": "1e300", "RescaleIntercept": 0},
    "slope_beyond_floats": {"RescaleSlope": "1e308", "RescaleIntercept": "1e308"},
    "window_far_away": {"WindowCenter": "1e30", "WindowWidth": 5},
    "window_of_one_value": {"WindowCenter": 1000, "WindowWidth": 1},
    "sigmoid_steep": {"WindowCenter": 1000, "WindowWidth": "1e-30", "VOILUTFunction": "SIGMOID"},
    "spacing_negative": {"PixelSpacing": [-1, 0]},
    "spacing_one_value": {"PixelSpacing": 0.1},
    "padding_is_all": {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095},
    "padding_beyond_range": {"PixelPaddingValue": 65535},
}


@bad_copies(NUMBERS.items(), "UNREADABLE")
def greyscale(folder, attributes):
    return write(folder, encoded(chest(**attributes)))


@bad_copies(DISPLAYS.items(), DONE)
def display(folder, attributes):
    return write(folder, encoded(chest(**attributes)))


@bad_copies(DISPLAY_TEXTS.items(), DONE)
def display_text(folder, number_and_text):
    return greyscale_text(folder, number_and_text)


@bad_copies(TEXTS.items(), "UNREADABLE")
def greyscale_text(folder, number_and_text):
    number, text = number_and_text
    data = plain()
    at = place_of(data, 0x7FE0, 0x10)
    other = element(0x28, 0x1051, "DS", b"5 ") if number == 0x1050 else b""
    return write(folder, data[:at] + element(0x28, number, "DS", text) + other + data[at:])


@bad_copies(EDGES.items(), "UNREADABLE", "CONSTANT", DONE)
def greyscale_edge(folder, attributes):
    return write(folder, encoded(chest(**attributes)))


def table(descriptor: list[int] | None, content: bytes | None) -> Dataset:
    item = Dataset()
    if descriptor is not None:
        item.add_new(0x00283002, "US", descriptor)
    if content is not None:
        item.add_new(0x00283006, "OW", content)
    return item


TABLES = {
    "short": table([4096, 0, 16], bytes(100)),
    "without_data": table([4096, 0, 16], None),
    "without_descriptor": table(None, bytes(8192)),
    "descriptor_of_two": table([4096, 0], bytes(8192)),
    "descriptor_of_zeros": table([0, 0, 0], bytes(2)),
    "empty": Dataset(),
}


@bad_copies(TABLES.items(), DONE)
def voi_table(folder, item):
    return write(folder, encoded(chest(VOILUTSequence=[item])))


@bad_copies(TABLES.items(), "UNREADABLE")
def modality_table(folder, item):
    return write(folder, encoded(chest(ModalityLUTSequence=[item])))


PICTURES = {
    "one_value": (np.full((130, 150), 7, np.uint16), "CONSTANT"),
    "one_row": (np.arange(150, dtype=np.uint16)[None], "TOO_SMALL"),
    "thin": (np.arange(63 * 4000, dtype=np.uint32).astype(np.uint16).reshape(63, 4000), "TOO_SMALL"),
    "ribbon": (np.tile(np.arange(64, dtype=np.uint16), 20_000).reshape(20_000, 64), DONE),
    "two_values": ((grey() > 128).astype(np.uint16), DONE),
    "one_pixel": (np.eye(130, 150, dtype=np.uint16) * (np.arange(150) == 0), DONE),
    "noise": (np.random.default_rng(0).integers(0, 4096, (130, 150), np.uint16), DONE),
}


@bad_copies(PICTURES.items(), "CONSTANT", "TOO_SMALL", DONE)
def xray_of(folder, pixels_and_code):
    pixels, _ = pixels_and_code
    dataset = chest(Rows=pixels.shape[0], Columns=pixels.shape[1])
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    return write(folder, encoded(dataset))
