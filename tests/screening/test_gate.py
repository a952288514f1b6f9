from __future__ import annotations

import pytest

from cxrnet.screening.gate import Code, judge, judge_lungs, judge_tags


def test_gate_passes_a_frontal_chest_radiograph():
    assert judge({"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}, 0.35) == ()


def test_gate_passes_a_picture_without_attributes():
    assert judge({}, 0.35) == ()


@pytest.mark.parametrize(
    ("tags", "code", "words"),
    [
        ({"Modality": "CT"}, Code.NOT_CHEST, "modality is CT (0008,0060); a chest radiograph is CR or DX"),
        ({"BodyPartExamined": "EXTREMITY"}, Code.NOT_CHEST, "body part is EXTREMITY (0018,0015); a chest"),
        ({"ViewPosition": "ll "}, Code.LATERAL, "view is LL (0018,5101); a frontal view, PA or AP, is needed"),
    ],
)
def test_gate_refuses_by_attributes(tags, code, words):
    (reason,) = judge_tags(tags)
    assert reason.code == code
    assert words in reason.text


@pytest.mark.parametrize("fraction", [0.0, 0.059, 0.701, 1.0])
def test_gate_refuses_implausible_lungs(fraction):
    (reason,) = judge_lungs(fraction)
    assert reason.code == Code.LUNG_AREA
    assert "6 % to 70 % is plausible" in reason.text


def test_gate_gives_every_reason():
    assert len(judge({"Modality": "MR", "BodyPartExamined": "HEAD"}, 0.0)) == 3
