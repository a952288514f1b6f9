import cv2
import numpy as np
import pytest
from benchmarks.gate.synthetic_images import HALF, NOT_ASKED, draw_image
from benchmarks.gate.train import GateTraining, limits_of, read_pictures, train_gate

from cxrnet.data.manifest import read_manifest
from cxrnet.errors import UsageError
from cxrnet.imaging.preprocess import equalise
from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS, GateRuntime
from tests.data.conftest import write_rows, write_xray
from tests.material import draw_xray


@pytest.fixture(scope="module")
def xrays():
    return np.stack([draw_xray(seed, height=HALF[0], width=HALF[1])[0] for seed in range(4)])


def draw(xrays, number=60, **key):
    others = [np.tile(np.arange(200, dtype=np.uint8), (120, 1))]
    return [draw_image(xrays, others, **({"seed": 0, "epoch": 0} | key), index=index) for index in range(number)]


def test_same_numbers_draw_the_same_picture(xrays):
    for one, other in zip(draw(xrays), draw(xrays), strict=True):
        np.testing.assert_array_equal(one.means, other.means)
        assert one[1:] == other[1:]
    assert any(not np.array_equal(a.means, b.means) for a, b in zip(draw(xrays), draw(xrays, epoch=1), strict=True))


def test_every_answer_is_drawn_and_only_frontal_xrays_are_asked_for_turn_and_polarity(xrays):
    drawn = draw(xrays, 200)
    assert {one.content for one in drawn} == set(range(len(CONTENTS)))
    frontal = [one for one in drawn if CONTENTS[one.content] == "frontal"]
    assert {one.turn for one in frontal} == set(range(len(TURNS)))
    assert {one.inverted for one in frontal} == {0, 1}
    rest = [(one.turn, one.inverted) for one in drawn if CONTENTS[one.content] != "frontal"]
    assert set(rest) == {(NOT_ASKED, NOT_ASKED)}
    assert all(one.means.shape == (75, 85) and 0 <= one.means.min() <= one.means.max() <= 255 for one in drawn)


def test_limits_refuse_and_warn_of_the_parts_that_are_named():
    frontal, distance = np.linspace(0, 0.4, 1001, dtype=np.float32), np.linspace(0, 10, 1001, dtype=np.float32)
    limits = limits_of(frontal, distance, GateTraining(refused=0.1, warned=0.2))
    assert limits["least_frontal"] == pytest.approx(0.04)
    assert limits["doubted_frontal"] == pytest.approx(0.08)
    assert limits["unlike"] == pytest.approx(8)


@pytest.mark.slow
def test_gate_is_trained_from_xrays_and_a_folder(tmp_path):
    rows = []
    for seed in range(24):
        write_xray(tmp_path / f"{seed}.png", seed)
        rows.append({"image": f"{seed}.png", "group_id": f"g{seed}", "split": "train" if seed else "val"})
    write_rows(tmp_path / "xrays.csv", rows)
    (tmp_path / "others").mkdir()
    for number in range(3):
        stripes = np.uint8(np.indices((90, 120))[number % 2] % (number + 2) * 80)
        cv2.imwrite(str(tmp_path / "others" / f"{number}.png"), stripes)
    lines = []
    config = GateTraining(epochs=3, draws=256, batch=32)
    out = tmp_path / "view.onnx"
    facts = train_gate(read_manifest(tmp_path / "xrays.csv"), tmp_path / "others", out, config, report=lines.append)
    assert facts.images == 23
    assert len(lines) == 3
    seen = GateRuntime(out).predict(equalise(draw_xray(99, height=GATE_SIZE[0], width=GATE_SIZE[1])[0]))
    assert seen.limits == facts.limits
    stripes = np.uint8(np.indices(GATE_SIZE)[1] % 40 * 6)
    assert GateRuntime(out).predict(stripes).contents["frontal"] < seen.contents["frontal"]


def test_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="holds no pictures"):
        read_pictures(tmp_path)
