"""The display settings of a DICOM file: a window or a table of the values of interest (PS3.3 C.11.2).

They say how the image is shown, not what is in it. A setting that keeps the order of the values, as every window does,
becomes the tone curve of the `Radiograph`; only a table that changes their order, a presentation, changes the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from cxrnet.arrays import Float64
from cxrnet.errors import RadiographError
from cxrnet.imaging.attributes import code, has_items, label, numbers
from cxrnet.imaging.greyscale import find_table
from cxrnet.imaging.radiograph import ToneCurve, invert_curve

_SIGMOID_KNOTS, _MOST_KNOTS = 33, 257
_ROUNDING = 0.01  # part of all steps of a table that may go the other way: quantised curves do


class Voi(NamedTuple):
    """A display setting: `text` for people, `apply` from values to shown ones, `knots` between which it is even."""

    text: str
    apply: Callable[[Float64], Float64]
    knots: Float64


class Display(NamedTuple):
    """What a display setting does to an image."""

    grey: Float64  # float64, the values whose order counts
    # points (value, shown value), both 0..255 of their own range, values rising; () shows values as they are
    curve: ToneCurve = ()

    def inverted(self) -> Display:
        """The same with dark and bright exchanged, values and shown values alike."""
        return Display(self.grey.max() + self.grey.min() - self.grey, invert_curve(self.curve))


def find_display(
    grey: Float64, dataset: Dataset, low: float, high: float, name: str, history: list[str], warnings: list[str]
) -> Display:
    """The values of an image and how the file shows them.

    Args:
        grey: float64, after the Modality LUT.
        dataset: The header.
        low: Least value that is image and not padding.
        high: Greatest such value.
        name: The input, for messages.
        history: Receives the step that was taken.
        warnings: Receives what is odd.
    """
    voi = find_voi(dataset, low, high, name, warnings)
    if voi is None:
        return Display(grey)
    values = np.unique([low, *np.clip(voi.knots, low, high), high])
    shown = voi.apply(values)
    steps = np.diff(shown)
    rise, fall = float(steps.clip(0).sum()), float(-steps.clip(None, 0).sum())
    if rise + fall == 0:
        warnings.append(f"{voi.text} shows every value alike and was ignored")
        return Display(grey)
    if min(rise, fall) > _ROUNDING * (rise + fall):
        history.append(f"{voi.text} applied, since it changes the order of the values")
        return Display(voi.apply(grey))
    history.append(f"{voi.text} kept for display")
    picked = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_KNOTS)).astype(int))
    at, to = (_full_range(each)[picked] for each in (values, shown))
    if fall > rise:
        history.append("inverted once, since the table falls")
        return Display(grey.max() + grey.min() - grey, _points(255 - at[::-1], to[::-1]))
    return Display(grey, _points(at, to))


def find_voi(dataset: Dataset, low: float, high: float, name: str, warnings: list[str]) -> Voi | None:
    """What the file says about its display: the first table, or else the first window (PS3.3 C.11.2).

    A damaged display setting is a warning: it never loses a radiograph, whose values are all there.
    """
    if has_items(dataset, "VOILUTSequence"):
        try:
            table = find_table(dataset, "VOILUTSequence", low, high, name)
        except RadiographError:
            warnings.append(f"{label('VOILUTSequence')} is damaged and was ignored")
            return None
        if len(dataset.VOILUTSequence) > 1:
            warnings.append(f"{label('VOILUTSequence')} has several tables; the first was used")
        first, last = table.domain
        return Voi(label("VOILUTSequence"), table.look_up, np.arange(first, last + 1.0))
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if centres is None or widths is None:
        warnings.append(f"{label('WindowCenter' if centres is None else 'WindowWidth')} is not a number; ignored")
        return None
    if not centres or not widths:
        if centres or widths:
            warnings.append(f"{label('WindowCenter')} and Window Width do not come together and were ignored")
        return None
    if len(centres) > 1 or len(widths) > 1:
        warnings.append(f"{label('WindowCenter')} has several windows; the first was used")
    function = (code(dataset, "VOILUTFunction") or "LINEAR").upper()
    return _find_window(centres[0], widths[0], function, warnings)


def _find_window(centre: float, width: float, function: str, warnings: list[str]) -> Voi | None:
    """A window as PS3.3 C.11.2.1.2 and C.11.2.1.3 define it, None where it is not usable.

    The linear functions are a clip here: the scaling to 0..255 that follows supplies factor and offset.
    """
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        warnings.append(f"{label('VOILUTFunction')} is not known; the window was ignored")
        return None
    if width <= 0 or (function == "LINEAR" and width < 1):
        warnings.append(f"{label('WindowWidth')} is {width:g} for {function}; the window was ignored")
        return None
    text = f"window {centre:g}/{width:g} {function} (0028,1050)"
    if function == "SIGMOID":
        return Voi(
            text,
            partial(_sigmoid, centre=centre, width=width),
            np.linspace(centre - 2 * width, centre + 2 * width, _SIGMOID_KNOTS),
        )
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    ends = np.array([centre - width / 2, centre + width / 2])
    return Voi(text, partial(np.clip, a_min=ends[0], a_max=ends[1]), ends)


def _sigmoid(values: Float64, *, centre: float, width: float) -> Float64:
    """PS3.3 C.11.2.1.3.1, 0..1."""
    exponent = np.clip(-4 * (values - centre) / width, -700, 700)  # exp overflows beyond
    return np.asarray(1 / (1 + np.exp(exponent)))


def _full_range(values: Float64) -> Float64:
    """`values` scaled so that the least becomes 0 and the greatest 255."""
    return np.asarray((values - values.min()) / np.ptp(values) * 255)


def _points(values: Float64, shown: Float64) -> ToneCurve:
    return tuple(zip(values.tolist(), shown.tolist(), strict=True))
