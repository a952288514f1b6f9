import dataclasses
import json

import numpy as np
import pytest
from pydantic import ValidationError

from cxrnet.model.bundle import read_bundle
from cxrnet.model.calibration import Calibration, Conformal
from cxrnet.screening.conformal import ambiguity, conformal_set, fit_thresholds
from cxrnet.screening.pipeline import Pipeline

TWO = ("covid", "non-covid")


def test_threshold_is_the_lowest_probability_that_all_but_10_percent_reach():
    probability = np.linspace(0.05, 0.95, 19)
    table = np.stack([probability, 1 - probability], axis=1)
    thresholds = fit_thresholds(table, np.zeros(19, np.int64), ("covid", "none"))
    assert thresholds == {"covid": pytest.approx(0.1), "none": 0.0}  # the second lowest of 19; nothing known of none


def test_sets_hold_the_true_class_of_new_images_as_often_as_promised():
    rng = np.random.default_rng(0)

    def draw(count):
        labels = (rng.random(count) < 0.8).astype(np.int64)
        odds = rng.normal(1.0, 1.5, count) * (1 - 2 * labels)
        probability = 1 / (1 + np.exp(-odds))
        return np.stack([probability, 1 - probability], axis=1), labels

    thresholds = fit_thresholds(*draw(4000), TWO)
    table, labels = draw(20_000)
    sets = [conformal_set(dict(zip(TWO, row, strict=True)), thresholds) for row in table]
    for index, name in enumerate(TWO):
        assert np.mean([name in sets[image] for image in np.flatnonzero(labels == index)]) == pytest.approx(
            0.9, abs=0.03
        )


def test_set_can_hold_every_class_or_none():
    scores = {"covid": 0.4, "non-covid": 0.6}
    assert conformal_set(scores, {"covid": 0.3, "non-covid": 0.5}) == TWO
    assert conformal_set(scores, {"covid": 0.5, "non-covid": 0.7}) == ()


def test_answer_is_open_unless_the_set_holds_one_class():
    assert ambiguity(("covid",), level=0.9) is None
    assert ambiguity(TWO, level=0.9) == "the 90 % prediction set holds covid and non-covid"
    assert "no class" in ambiguity((), level=0.9)


@pytest.mark.parametrize(("threshold", "members"), [(0.0, list(TWO)), (1.0, [])])
def test_finding_has_the_set_and_is_uncertain_unless_it_holds_one_class(small_bundle, chest, threshold, members):
    bundle = read_bundle(small_bundle)
    sets = Conformal(level=0.9, thresholds=dict.fromkeys(TWO, threshold))
    known = Calibration(temperature=1.0, bias=(0.0, 0.0), images=9, operating_points={"balanced": 0.0}, conformal=sets)
    config = bundle.config.model_copy(update={"calibration": known})
    with Pipeline(dataclasses.replace(bundle, config=config)) as pipeline:
        record = json.loads(pipeline.screen(chest).to_json())
    assert record["conformal_set"] == members
    assert record["uncertain"] is True
    assert "prediction set" in record["uncertainty_reason"]


def test_bundle_without_sets_gives_none(pipeline, chest):
    assert pipeline.screen(chest).record()["conformal_set"] is None


def test_thresholds_are_of_the_classes_of_the_bundle(small_bundle):
    config = json.loads((small_bundle / "config.json").read_text())
    sets = {"level": 0.9, "thresholds": {"covid": 0.5}}
    config["calibration"] = {"temperature": 1.0, "bias": [0.0, 0.0], "films": 9, "conformal": sets}
    with pytest.raises(ValidationError, match="one for each class"):
        type(read_bundle(small_bundle).config).model_validate_json(json.dumps(config))
