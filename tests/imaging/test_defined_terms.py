from __future__ import annotations

import pydicom
import pytest

from cxrnet.imaging.attributes import KEPT_TAGS, kept_tags
from cxrnet.imaging.defined_terms import UNKNOWN, is_known
from cxrnet.screening import gate


@pytest.mark.parametrize("words", [gate.RADIOGRAPHY, gate.CHEST, gate.LATERAL])
def test_words_of_the_gate_are_known(words):
    keyword = {"CR": "Modality", "CHEST": "BodyPartExamined", "LL": "ViewPosition"}
    (found,) = (keyword[word] for word in words if word in keyword)
    assert all(is_known(found, word) for word in words)


@pytest.mark.parametrize("keyword", KEPT_TAGS)
def test_name_in_the_form_of_a_code_is_not_known(keyword):
    assert not is_known(keyword, "SMITH_JOHN")


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("BodyPartExamined", "chest"), ("PatientOrientation", "L\\F"), ("PatientOrientation", "L\\"), ("Modality", "DX")],
)
def test_words_of_the_standard_are_known(keyword, value):
    assert is_known(keyword, value)


def test_value_that_is_no_word_is_not_told():
    dataset = pydicom.Dataset()
    dataset.Modality, dataset.BodyPartExamined = "DX", "SMITH_JOHN"
    tags, warnings = kept_tags(dataset)
    assert tags == {"Modality": "DX", "BodyPartExamined": UNKNOWN}
    assert warnings == ["Body Part Examined (0018,0015) holds no known term, and what it holds was left out"]


def test_film_of_an_unknown_body_part_is_refused_without_telling_it():
    (reason,) = gate.judge_tags({"BodyPartExamined": UNKNOWN}).refusals
    assert reason.text == "body part is UNKNOWN TERM (0018,0015); a chest radiograph is needed"
