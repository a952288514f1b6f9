import numpy as np
import pytest

from cxrnet.screening.panel.canvas import Canvas
from cxrnet.screening.panel.colour import BACKGROUND


def _columns_drawn(canvas):
    return np.flatnonzero((canvas.pixels != np.array(BACKGROUND, dtype=np.uint8)).any(axis=(0, 2)))


def test_text_begins_at_its_left():
    canvas = Canvas(60)
    canvas.text("HELLO", 100, 40)
    assert 100 <= _columns_drawn(canvas)[0] <= 104


def test_text_ends_at_its_right_when_aligned_right():
    canvas = Canvas(60)
    canvas.text("HELLO", 300, 40, align="right")
    assert 296 <= _columns_drawn(canvas)[-1] <= 300


def test_text_is_in_the_middle_when_centred():
    canvas = Canvas(60)
    canvas.text("HOH", 300, 40, align="centre")
    columns = _columns_drawn(canvas)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(300, abs=2)


def test_text_stays_in_its_room():
    canvas = Canvas(60)
    canvas.text("x" * 500, 100, 40, room=200)
    assert _columns_drawn(canvas)[-1] <= 300


@pytest.mark.parametrize(("left", "baseline"), [(-10, 30), (1590, 30), (10, 5), (10, 70), (-500, -500)])
def test_text_is_clipped_at_the_edge(left, baseline):
    canvas = Canvas(60)
    canvas.text("HELLO", left, baseline)
    assert canvas.pixels.shape == (60, 1600, 3)


def test_box_is_filled():
    canvas = Canvas(60)
    canvas.box(10, 20, 30, 5, (1, 2, 3))
    assert (canvas.pixels == (1, 2, 3)).all(axis=2).sum() == 150


def test_dot_is_round_and_in_its_place():
    canvas = Canvas(60)
    canvas.dot(100, 30, 10, (255, 255, 255))
    rows, columns = np.nonzero((canvas.pixels == 255).all(axis=2))
    assert (rows.mean(), columns.mean()) == pytest.approx((30, 100), abs=0.5)
    assert len(rows) == pytest.approx(np.pi * 100, rel=0.12)


def test_paste_puts_a_picture_in_its_place():
    canvas = Canvas(60)
    picture = np.full((4, 5, 3), 9, dtype=np.uint8)
    canvas.paste(picture, 10, 20)
    np.testing.assert_array_equal(canvas.pixels[20:24, 10:15], picture)
