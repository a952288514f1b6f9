from __future__ import annotations

import numpy as np
import pytest

from cxrnet.evaluation.audit.geometry import affine, identity
from cxrnet.evaluation.audit.reading import Reading, called, reader_of
from cxrnet.evaluation.audit.stability import compare, correlation
from cxrnet.imaging.radiograph import Radiograph
from tests.material import film


def reading(score, answer=0, **rest):
    return Reading(scores=np.array([score, 1 - score]), answer=answer, **rest)


def test_move_of_the_score_is_that_of_either_class():
    effects = compare(reading(0.9), reading(0.4, answer=1), identity())
    assert effects["score_move"] == pytest.approx(0.5)
    assert effects["class_changes"] == 1


def test_copy_that_cannot_be_scored_is_refused_and_nothing_else():
    effects = compare(reading(0.9), Reading(scores=None, refusals=("CONSTANT",)), identity())
    assert effects.pop("refused") == 1
    assert np.isnan(list(effects.values())).all()


def test_lungs_and_heat_maps_are_compared_in_the_frame_of_the_original():
    _, lungs = film(0)
    heat = np.where(lungs, np.arange(72, dtype=np.float32), np.nan)[None].repeat(2, axis=0)
    before = reading(0.5, lungs=lungs.astype(np.float32), heat_maps=heat)
    flipped = reading(0.5, lungs=before.lungs[:, ::-1].copy(), heat_maps=heat[:, :, ::-1].copy())
    effects = compare(before, flipped, affine(scale=(-1, 1), shift=(1, 0)))
    assert effects["lung_dice"] == effects["heat_correlation"] == pytest.approx(1)
    assert compare(before, flipped, identity())["heat_correlation"] < 0.9


def test_correlation_needs_two_maps_that_vary():
    ramp = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert correlation(ramp, -ramp) == pytest.approx(-1)
    assert np.isnan(correlation(ramp, np.ones_like(ramp)))


def test_operating_point_decides_between_two_classes_only():
    assert called(np.array([0.3, 0.7]), 0.25) == 0
    assert called(np.array([0.3, 0.7]), None) == 1
    assert called(np.array([0.3, 0.5, 0.2]), 0.25) == 1


def test_any_function_that_scores_can_be_read():
    read = reader_of(lambda radiograph: [float(radiograph.pixels.mean()) / 255, 0.5])
    assert read(Radiograph.from_array(film(0)[0]), None).scores[1] == 0.5
