from __future__ import annotations

import numpy as np
import pytest

from cxrnet.model.gate_runtime import CONTENTS, GatePrediction
from cxrnet.screening.gate import (
    Code,
    Judgement,
    Reason,
    judge,
    judge_contrast,
    judge_lungs,
    judge_tags,
    judge_view,
    mendable,
)

LIMITS = {"least_frontal": 0.3, "doubted_frontal": 0.8, "unlike": 5.0}
FILM = np.tile(np.linspace(0, 255, 256, dtype=np.float32), (16, 1))


def view(*, turn=0, turned=0.0, inverted=0.0, distance=1.0, **contents):
    rest = (1 - sum(contents.values())) / (len(CONTENTS) - len(contents))
    return GatePrediction(
        contents={name: contents.get(name, rest) for name in CONTENTS},
        turn=turn,
        turned=turned,
        inverted=inverted,
        distance=distance,
        limits=LIMITS,
    )


GOOD = view(frontal=0.99)


def codes(reasons):
    return [reason.code for reason in reasons]


def test_gate_passes_a_frontal_chest_radiograph():
    tags = {"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}
    assert judge(tags, pixels=FILM, view=GOOD, lung_area_fraction=0.35) == Judgement()


def test_gate_passes_a_picture_without_attributes():
    assert judge({}, pixels=FILM, view=GOOD, lung_area_fraction=None).reasons == ()


@pytest.mark.parametrize(
    ("tags", "code", "words"),
    [
        ({"Modality": "CT"}, Code.NOT_CHEST, "modality is CT (0008,0060); a chest radiograph is CR or DX"),
        ({"BodyPartExamined": "EXTREMITY"}, Code.NOT_CHEST, "body part is EXTREMITY (0018,0015); a chest"),
        ({"ViewPosition": "ll "}, Code.LATERAL, "view is LL (0018,5101); a frontal view, PA or AP, is needed"),
    ],
)
def test_gate_refuses_by_attributes(tags, code, words):
    (reason,) = judge_tags(tags).refusals
    assert reason.code == code
    assert words in reason.text


@pytest.mark.parametrize("fraction", [0.0, 0.059, 0.701, 1.0])
def test_gate_refuses_implausible_lungs(fraction):
    (reason,) = judge_lungs(fraction).refusals
    assert reason.code == Code.LUNG_AREA
    assert "6 % to 70 % is plausible" in reason.text


@pytest.mark.parametrize(
    ("content", "code"), [("lateral", Code.LATERAL), ("part", Code.LUNG_AREA), ("other", Code.NOT_CHEST)]
)
def test_gate_refuses_by_content(content, code):
    judgement = judge_view(view(frontal=0.1, **{content: 0.8}))
    assert codes(judgement.refusals) == [code]
    assert "90 % sure" in judgement.refusals[0].text


def test_gate_warns_where_content_is_in_doubt():
    judgement = judge_view(view(frontal=0.5, lateral=0.4))
    assert judgement.refusals == ()
    assert codes(judgement.warnings) == [Code.LATERAL]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (view(frontal=0.99, inverted=0.97), [Code.INVERTED]),
        (view(frontal=0.99, turned=0.9, turn=90), [Code.ROTATED]),
        (view(frontal=0.99, inverted=0.6, turned=0.6, turn=180), [Code.INVERTED, Code.ROTATED]),
        (view(frontal=0.99, inverted=0.4, turned=0.4, turn=0), []),
    ],
)
def test_gate_refuses_by_polarity_and_turn(seen, expected):
    assert codes(judge_view(seen).refusals) == expected


def test_gate_warns_of_what_is_unlike_the_training():
    judgement = judge_view(view(frontal=0.99, distance=5.1))
    assert judgement.refusals == ()
    assert codes(judgement.warnings) == [Code.UNLIKE_TRAINING]
    assert "distance 5.1, 5.0 is usual at most" in judgement.warnings[0].text


def test_gate_refuses_what_is_far_from_the_training():
    assert codes(judge_view(view(frontal=0.99, distance=10.1)).refusals) == [Code.UNLIKE_TRAINING]
    assert codes(judge_view(view(frontal=0.5, other=0.4, distance=10.1)).refusals) == [Code.NOT_CHEST]


def test_gate_refuses_few_greys_and_warns_of_a_narrow_range():
    few = np.round(FILM / 32) * 32
    assert codes(judge_contrast(few).refusals) == [Code.LOW_CONTRAST]
    narrow = 100 + FILM / 10
    assert judge_contrast(narrow).refusals == ()
    assert codes(judge_contrast(narrow).warnings) == [Code.LOW_CONTRAST]


def test_gate_gives_every_reason_and_each_code_once():
    tags = {"Modality": "MR", "BodyPartExamined": "HEAD"}
    judgement = judge(tags, pixels=FILM, view=view(other=0.99), lung_area_fraction=0.0)
    assert codes(judgement.refusals) == [Code.NOT_CHEST, Code.NOT_CHEST, Code.NOT_CHEST, Code.LUNG_AREA]
    assert codes(judgement.reasons) == [Code.NOT_CHEST, Code.LUNG_AREA]


def test_refusals_come_before_warnings():
    first, second = Reason("A", "a"), Reason("B", "b")
    assert (Judgement((), (second,)) + Judgement((first,))).reasons == (first, second)


@pytest.mark.parametrize(
    ("refused", "seen", "expected"),
    [
        ([Code.INVERTED], view(frontal=0.99, inverted=0.95), (True, 0)),
        ([Code.ROTATED], view(frontal=0.99, turned=0.95, turn=270), (False, 270)),
        ([Code.ROTATED, Code.LUNG_AREA], view(frontal=0.99, turned=0.95, turn=90), (False, 90)),
        ([Code.INVERTED, Code.ROTATED], view(frontal=0.99, inverted=0.95, turned=0.95, turn=180), (True, 180)),
        ([Code.INVERTED], view(frontal=0.99, inverted=0.7), (False, 0)),
        ([Code.INVERTED, Code.NOT_CHEST], view(frontal=0.99, inverted=0.95), (False, 0)),
        ([Code.LUNG_AREA], view(frontal=0.99), (False, 0)),
        ([], GOOD, (False, 0)),
    ],
)
def test_only_what_is_beyond_doubt_is_mended(refused, seen, expected):
    judgement = Judgement(tuple(Reason(code, "") for code in refused))
    assert mendable(judgement, seen) == expected
