"""The values of a picture, each once: what is done value by value is done to a few thousand and not to millions.

A radiograph of 16 bits has at most 65,536 values. Rescaling, tables, windows and scaling take the same steps in the
same precision on them as they would on every pixel, and give the same numbers.
"""

from dataclasses import dataclass

import numpy as np

from cxrnet.arrays import AnyArray, Bool, Float32, Float64, Int64, UInt16

_ROWS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """The values of a picture, rising, and the picture that they make."""

    values: Float64  # float64 [1, level]; of a picture with more than 16 bits or with fractions the picture itself
    # int64 [1, level], pixels with each value; None where they were not asked for, or each pixel is its own
    counts: Int64 | None
    places: UInt16 | None  # uint16 [height, width], index of the level of each pixel; None where each pixel is its own

    def share(self, is_chosen: Bool) -> float:
        """Return the part of the pixels that have one of the chosen levels, bool as `values`."""
        if self.counts is None:
            return float(is_chosen.mean())
        return float(self.counts[is_chosen].sum() / self.counts.sum())

    def picture(self, shown: Float32) -> Float32:
        """Return float32 [height, width], each pixel the number in `shown`, float32 as `values`, of its level."""
        if self.places is None:
            return shown
        picture = np.empty(self.places.shape, np.float32)
        for start in range(0, len(picture), _ROWS):  # numpy widens indices to 64 bits: a few rows stay in the cache
            rows = slice(start, start + _ROWS)
            np.take(shown[0], self.places[rows], out=picture[rows], mode="clip")  # "raise" would fill a copy of `out`
        return picture


def find_levels(stored: AnyArray, *, counted: bool) -> Levels:
    """Return the levels of a picture.

    Args:
        stored: Values of any real type, [height, width].
        counted: Whether only values that occur are taken, with their counts. Else all whole numbers from the least to
            the greatest are, which is faster and does where what follows rises, or falls, throughout.
    """
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2 or stored.size == 0:
        return Levels(values=stored.astype(np.float64), counts=None, places=None)
    low, high = int(stored.min()), int(stored.max())
    places = stored.astype(np.uint16)
    places -= np.uint16(low & 0xFFFF)  # modulo 2^16, as the conversion of negative values was
    values = np.arange(low, high + 1, dtype=np.float64)
    if not counted:
        return Levels(values=values[None], counts=None, places=places)
    counts = np.bincount(places.ravel(), minlength=len(values))
    occurs = counts > 0
    renumbered = (np.cumsum(occurs) - 1).astype(np.uint16)
    return Levels(values=values[None, occurs], counts=counts[None, occurs], places=np.take(renumbered, places))
