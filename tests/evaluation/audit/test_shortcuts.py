from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from cxrnet.data.manifest import Sample
from cxrnet.evaluation.audit.shortcuts import (
    ALTERATIONS,
    choose_partners,
    crop_to_lungs,
    estimate_auc,
    identify_source,
    swap_lungs,
)
from tests.material import draw_xray


def sample(number, label, source):
    return Sample(
        line=number,
        image=None,
        mask=None,
        label=label,
        group=f"g{number}",
        patient=None,
        source=source,
        view="",
        split="",
        values=MappingProxyType({}),
    )


def test_alterations_take_away_what_they_name():
    image, lungs = draw_xray(0)
    pixels = image.astype(np.float32) + 1
    altered = {name: change(pixels, lungs) for name, change in ALTERATIONS.items()}
    assert (altered["lungs blacked out"][lungs] == 0).all()
    assert (altered["lungs blacked out"][~lungs] == pixels[~lungs]).all()
    assert ((altered["lungs only"] > 0) == lungs).all()
    assert (altered["border only"][6:-6, 7:-7] == 0).all()
    assert (altered["border only"][:6] > 0).all()
    assert altered["lung box only"].shape == crop_to_lungs(lungs.astype(np.float32), lungs).shape
    assert crop_to_lungs(pixels, np.zeros_like(lungs)).shape == pixels.shape


def test_swapped_lungs_come_from_the_donor_and_all_else_from_the_frame():
    (_, frame_lungs), (_, donor_lungs) = draw_xray(1), draw_xray(2)
    made = swap_lungs(
        np.full((64, 72), 10.0, np.float32), frame_lungs, np.full((64, 72), 200.0, np.float32), donor_lungs
    )
    assert set(np.unique(made)) == {10.0, 200.0}
    assert ((made == 200) & frame_lungs).sum() / frame_lungs.sum() > 0.75


def test_partners_are_of_another_class():
    samples = [sample(number, "ab"[number % 2], "x") for number in range(6)]
    pairs = zip(samples, choose_partners(samples, seed=0), strict=True)
    assert all(samples[other].label != own.label for own, other in pairs)
    assert choose_partners([replace(one, label="a") for one in samples], seed=0) == [None] * 6


def test_auc_is_given_within_mixed_sources_and_between_those_of_unlike_classes():
    rows = []
    for number in range(40):
        source, label = ("mixed", number // 2 % 2) if number % 2 else (("sick", 0) if number % 4 else ("well", 1))
        score = 0.9 if label == 0 else 0.1
        score = 0.5 if source == "mixed" else score
        rows.append((sample(number, str(label), source), label, np.array([score, 1 - score])))
    found = estimate_auc([*rows, (sample(99, "0", "mixed"), 0, None)], resamples=20, seed=0)
    assert set(found) == {"", "mixed", "sick / well"}
    assert found["mixed"].value == pytest.approx(0.5)
    assert found["sick / well"].value == 1
    assert found[""].n == 40


def test_source_that_marks_its_images_is_recognised_and_one_that_does_not_is_not():
    rng = np.random.default_rng(0)
    sources, groups = ["x", "y"] * 40, [f"g{number}" for number in range(80)]
    noise = rng.normal(size=(80, 3))
    marked = noise + np.array([[0.0], [5.0]] * 40)
    assert identify_source(marked, sources, groups, resamples=0, seed=0).value == 1
    assert identify_source(noise, sources, groups, resamples=0, seed=0).value == pytest.approx(0.5, abs=0.2)
    assert identify_source(noise, ["x"] * 80, groups, resamples=0, seed=0) is None
