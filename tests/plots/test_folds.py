import sys

import cv2
import numpy as np
import pytest

from cxrnet.errors import MissingExtraError
from cxrnet.plots.folds import HELD_OUT, TRAIN, VALIDATION, draw_folds

pytest.importorskip("matplotlib")


def draw(folds, labels=None, groups=None, sources=None):
    number = len(folds)
    picture = draw_folds(
        np.array(folds),
        labels or ["covid" if place % 2 else "normal" for place in range(number)],
        groups or list(range(number)),
        sources or ["one"] * number,
    )
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def share(picture, colour):
    """Return the share of the pixels that have a colour given as "#rrggbb"."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return float((np.abs(picture.astype(int) - wanted).max(axis=2) <= 2).mean())


def test_validation_has_its_share_of_the_rows():
    picture = draw([place % 4 for place in range(40)])
    shown = share(picture, VALIDATION) / (share(picture, VALIDATION) + share(picture, TRAIN))
    assert shown == pytest.approx(0.25, abs=0.02)


def test_held_out_images_are_grey():
    assert share(draw([0, 1, 0, 1, -1, -1]), HELD_OUT) > 0.05
    assert share(draw([0, 1, 0, 1, 0, 1]), HELD_OUT) < 0.01


def test_many_classes_sources_and_nameless_ones_are_drawn():
    names = [f"name {place}" if place else "" for place in range(12)]
    assert draw([place % 2 for place in range(12)], labels=names, sources=names).size


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"cxrnet\[train\]"):
        draw([0, 1])
