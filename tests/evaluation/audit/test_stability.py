import numpy as np
import pytest

from cxrnet.errors import RadiographError, UsageError
from cxrnet.evaluation.audit.geometry import affine
from cxrnet.evaluation.audit.reading import Reading, predicted_class
from cxrnet.evaluation.audit.stability import audit_stability, compare, correlation
from cxrnet.imaging.radiograph import Radiograph
from tests.evaluation.conftest import pipeline  # noqa: F401
from tests.material import draw_xray


def reading(score, answer=0, **rest):
    return Reading(scores=np.array([score, 1 - score]), answer=answer, **rest)


def test_move_of_the_score_is_that_of_either_class():
    effects = compare(reading(0.9), reading(0.4, answer=1), affine())
    assert effects["score_move"] == pytest.approx(0.5)
    assert effects["class_changes"] == 1


def test_copy_that_cannot_be_scored_is_refused_and_nothing_else():
    effects = compare(reading(0.9), Reading(scores=None, refusals=("CONSTANT",)), affine())
    assert effects.pop("refused") == 1
    assert np.isnan(list(effects.values())).all()


def test_lungs_and_heat_maps_are_compared_in_the_frame_of_the_original():
    _, lungs = draw_xray(0)
    heat = np.where(lungs, np.arange(72, dtype=np.float32), np.nan)[None].repeat(2, axis=0)
    before = reading(0.5, lungs=lungs.astype(np.float32), heat_maps=heat)
    flipped = reading(0.5, lungs=before.lungs[:, ::-1].copy(), heat_maps=heat[:, :, ::-1].copy())
    effects = compare(before, flipped, affine(scale=(-1, 1), shift=(1, 0)))
    assert effects["lung_dice"] == effects["heat_correlation"] == pytest.approx(1)
    assert compare(before, flipped, affine())["heat_correlation"] < 0.9


def test_correlation_needs_two_maps_that_vary():
    ramp = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert correlation(ramp, -ramp) == pytest.approx(-1)
    assert np.isnan(correlation(ramp, np.ones_like(ramp)))


def test_operating_point_decides_between_two_classes_only():
    assert predicted_class(np.array([0.3, 0.7]), 0.25) == 0
    assert predicted_class(np.array([0.3, 0.7]), None) == 1
    assert predicted_class(np.array([0.3, 0.5, 0.2]), 0.25) == 1


def mean_score(image):
    assert image.dtype == np.uint8
    return float(image.mean()) / 255


def test_any_function_from_an_image_to_a_probability_is_audited():
    images = [draw_xray(seed)[0] for seed in range(3)]
    record = audit_stability(mean_score, images, groups=["a", "b", "b"], resamples=0)
    effects = {change.name: change.effects for change in record.changes}
    assert effects["mirror-1"]["score_move"].value == 0
    assert effects["gamma-bright-0.7"]["score_move"].value > 0.05
    assert effects["noise-4"]["lung_dice"].value is effects["noise-4"]["set_coverage"].value is None
    assert record.means["reference"]["score_move"].n == 3
    assert record == audit_stability(mean_score, images, groups=["a", "b", "b"], resamples=0)


def test_function_that_takes_radiographs_may_refuse_a_copy():
    def score(radiograph):
        if radiograph.pixels.shape != (64, 72):
            raise RadiographError("SIZE", "other size")
        return 1.0

    record = audit_stability(score, [Radiograph.from_array(draw_xray(0)[0])], takes="radiograph", resamples=0)
    refused = {change.name for change in record.changes if change.effects["refused"].value == 1}
    assert refused == {"border-black-5", "border-white-5", "crop-4"}


def test_bundle_is_audited_on_images_in_memory(pipeline):  # noqa: F811
    record = audit_stability(pipeline, [draw_xray(0)[0]], resamples=0)
    assert record.means["reference"]["lung_dice"].value > 0.8


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": lambda image: 1.5}, "score"),
        ({"model": lambda image: float("nan")}, "score"),
        ({"changes": "some"}, "changes"),
        ({"images": []}, "images"),
        ({"groups": ["a"]}, "groups"),
        ({"groups": ["a", "b", "c"]}, "groups"),
    ],
)
def test_audit_that_makes_no_sense_is_refused_by_name(options, named):
    images = [draw_xray(seed)[0] for seed in range(2)]
    with pytest.raises(UsageError, match=named):
        audit_stability(**{"model": mean_score, "images": images, "resamples": 0} | options)
