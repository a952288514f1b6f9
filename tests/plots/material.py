"""Made-up radiographs for the tests of the pictures."""

import numpy as np


def radiograph(height=120, width=136):
    rows, columns = np.mgrid[0:height, 0:width]
    return ((rows * 3 + columns * 5) % 200 + 20).astype(np.uint8)


def lung_mask(height=120, width=136):
    mask = np.zeros((height, width), dtype=bool)
    rows = slice(height // 5, height - height // 5)
    mask[rows, width // 8 : width * 3 // 8] = True
    mask[rows, width * 5 // 8 : width * 7 // 8] = True
    return mask


def lightness(colours):
    """How light colours are to the eye, CIE L*, 0 (black) to 100 (white).

    Args:
        colours: uint8 [..., 3], sRGB.

    Returns:
        float64 [...].
    """
    encoded = colours / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    light = np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)
    return np.asarray(light, dtype=np.float64)
