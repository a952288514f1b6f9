"""Made-up radiographs for the tests of the pictures."""

import numpy as np

from cxrnet.screening.panel.panel import PanelContent


def radiograph(height=120, width=136):
    rows, columns = np.mgrid[0:height, 0:width]
    return ((rows * 3 + columns * 5) % 200 + 20).astype(np.uint8)


def lung_mask(height=120, width=136):
    mask = np.zeros((height, width), dtype=bool)
    rows = slice(height // 5, height - height // 5)
    mask[rows, width // 8 : width * 3 // 8] = True
    mask[rows, width * 5 // 8 : width * 7 // 8] = True
    return mask


def heatmap(height=120, width=136):
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    return np.where(lung_mask(height, width), ramp, np.float32(np.nan))


def scored(*, height=120, width=136, scores=None, folds=None, **changes):
    scores = {"covid": 0.94, "non-covid": 0.06} if scores is None else scores
    folds = folds or {name: [score] * 6 for name, score in scores.items()}
    cam = heatmap(height, width)
    parts = {
        "name": "chest.dcm",
        "radiograph": radiograph(height, width),
        "lungs": lung_mask(height, width),
        "status": "scored",
        "scores": scores,
        "folds": folds,
        "heatmaps": dict.fromkeys(scores, cam),
        "difference": 2 * cam - 1 if len(scores) == 2 else None,
        "model": "published-v7 1.0 (3f9ac2d1)",
        "lung_area_fraction": 0.3,
        "is_calibrated": False,
    }
    return PanelContent(**(parts | changes))


def refused(*, height=120, width=136, **changes):
    parts = {
        "name": "chest.dcm",
        "radiograph": radiograph(height, width),
        "lungs": np.zeros((height, width), dtype=bool),
        "status": "refused",
        "reasons": (("LUNG_AREA", "lungs cover 2 % of the image; 8-70 % is plausible"),),
        "model": "published-v7 1.0 (3f9ac2d1)",
        "lung_area_fraction": 0.02,
        "is_calibrated": False,
    }
    return PanelContent(**(parts | changes))


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
