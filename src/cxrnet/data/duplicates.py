"""Near-duplicates: the same image again, in another size, contrast or compression.

Chest radiographs look alike. Of 1887 images that people had freed of repeats, a 64-bit hash of the cosine transform
puts 17 pairs of different patients within 4 bits of each other and 646 within 8, while copies differ by up to
6 bits in contrast and up to 24 where somebody wrote on them: no distance separates. What separates is detail:
ribs, vessels and letters, each weighed by the contrast around it. There the most alike pair of different images
has a correlation of 0.62, copies have 0.88 and more.
"""

import cv2
import numpy as np

from cxrnet.arrays import Float32

SIMILARITY = 0.7
"""Correlation of detail at which two images are called near-duplicates."""

_SIDE, _EDGE = 64, 6  # of the thumbnail, and of its border, where frames and letters are
_DETAIL, _AROUND = 2.0, 6.0  # radii in thumbnail pixels: what counts as detail, and as its surroundings
_FLOOR = 4.0  # grey values; keeps empty background from being blown up to detail
_BLOCK = 1024


def detail(pixels: Float32) -> Float32:
    """The detail of an image as a vector of length 1, float32 [2704]; the product of two is their correlation.

    Args:
        pixels: float32 [height, width], 0..255.
    """
    shrunk = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.equalizeHist(np.rint(shrunk).astype(np.uint8)).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL)
    fine /= np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _AROUND)) + _FLOOR
    inner = fine[_EDGE:-_EDGE, _EDGE:-_EDGE].ravel()
    inner -= inner.mean()
    return np.asarray(inner / max(float(np.linalg.norm(inner)), 1e-6), np.float32)


def near_pairs(details: Float32, *, similarity: float = SIMILARITY) -> list[tuple[int, int, float]]:
    """Pairs (first, second, correlation) of near-duplicates, most alike first.

    Args:
        details: float32 [image, 2704], from `detail`.
        similarity: Least correlation of a pair.
    """
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, len(details), _BLOCK):
        block = details[start : start + _BLOCK] @ details[start:].T
        rows, columns = np.nonzero(np.triu(block >= similarity, 1))
        pairs += [
            (start + int(row), start + int(column), float(block[row, column]))
            for row, column in zip(rows, columns, strict=True)
        ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))
