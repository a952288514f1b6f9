"""How well two masks agree: pixels in common, and the distance between their borders.

Only the lungs are counted, never the background, which would lift every figure.
"""

from math import nan

import numpy as np

from cxrnet.arrays import Bool, Float64

OVERLAPS = ("dice", "jaccard", "precision", "recall", "f1", "pixel_accuracy")
"""Names of what `overlap` returns."""


def overlap(found: Bool, truth: Bool) -> dict[str, float]:
    """Return the metrics of pixels in common of two masks, bool [height, width], in [0, 1]; NaN where undefined.

    `dice` = `f1` = 2 TP / (2 TP + FP + FN), `jaccard` = TP / (TP + FP + FN), `precision` = TP / (TP + FP), `recall` =
    TP / (TP + FN) (paper, Table 1), `pixel_accuracy` = the share of pixels that are right, which is what the published
    program calls Dice, since it pools lungs and background.
    """
    both = int(np.count_nonzero(found & truth))
    extra, missed = int(np.count_nonzero(found)) - both, int(np.count_nonzero(truth)) - both
    dice = _share(2 * both, 2 * both + extra + missed)
    return {
        "dice": dice,
        "jaccard": _share(both, both + extra + missed),
        "precision": _share(both, both + extra),
        "recall": _share(both, both + missed),
        "f1": dice,
        "pixel_accuracy": 1 - (extra + missed) / found.size,
    }


def border_distances(found: Bool, truth: Bool, *, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Return the Hausdorff-95 and the average surface distance of two masks, NaN where one is empty.

    A border is the pixels of a mask with a neighbour, above, below, left or right, outside it; the edge of the image is
    outside. Hausdorff-95 is the larger of the two 95th percentiles, from this border to that and back; the average is
    over the pixels of both borders. `spacing` is the distance between the centres of neighbouring (rows, columns), in
    mm; 1 gives pixels.
    """
    from sklearn.neighbors import KDTree

    if not (found.any() and truth.any()):
        return nan, nan
    ours, theirs = (border_points(mask, spacing) for mask in (found, truth))
    there = KDTree(theirs).query(ours)[0].ravel()
    back = KDTree(ours).query(theirs)[0].ravel()
    worst = max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))
    return worst, float(np.concatenate([there, back]).mean())


def border_points(mask: Bool, spacing: tuple[float, float]) -> Float64:
    """Return float64 [point, 2], (row, column) of the border of a mask, in units of `spacing`."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    places = np.argwhere(mask & ~inner).astype(np.float64)
    return places * np.array(spacing, dtype=np.float64)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else nan
