from pathlib import Path

import numpy as np
import pytest

from cxrnet.data.manifest import Sample
from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.evaluation.charts import classifier_charts
from cxrnet.evaluation.summary import classifier_block, fold_metrics, single_class_values, unscored_as_wrong

CLASSES = ("normal", "covid", "tuberculosis")


def case(number, label, scores=(), *, source="north"):
    sample = Sample(
        line=number + 2,
        image=Path(f"image{number}.png"),
        mask=None,
        label=label,
        group=f"g{number}",
        patient=None,
        source=source,
        view="",
        split="",
        values={"image": f"image{number}.png", "source": source},
    )
    status = "scored" if scores else "refused"
    return ClassifierCase(sample=sample, status=status, scores=tuple(scores), folds=(tuple(scores),) * 2, spread=0.0)


@pytest.fixture
def cases():
    chance = np.random.default_rng(0)
    return [case(number, CLASSES[number % 3], chance.dirichlet(np.ones(3)).tolist()) for number in range(30)]


def test_three_classes_have_a_block_each(cases):
    block = classifier_block(cases, CLASSES, resamples=20, seed=0)
    assert list(block["per_class"]) == list(CLASSES)
    mean = np.mean([each["recall"]["value"] for each in block["per_class"].values()])
    assert block["recall"]["value"] == pytest.approx(mean, abs=1e-6)


def test_three_classes_have_curves_each(cases):
    record = {"overall": classifier_block(cases, CLASSES, resamples=0, seed=0)}
    names = [chart.name for chart in classifier_charts(cases, CLASSES, record, column="source")]
    assert names[0] == "confusion"
    assert len(names) == len(set(names)) == 1 + 3 * 4
    assert "roc_covid_1" in names


def test_an_image_without_a_score_is_a_wrong_answer():
    cases = [case(0, "normal", (0.8, 0.1, 0.1)), case(1, "normal"), case(2, "covid"), case(3, "tuberculosis")]
    found = unscored_as_wrong(cases, CLASSES)(np.ones((1, 4)))
    assert found["coverage"][0] == 1 / 4
    assert found["accuracy"][0] == 1 / 4
    assert found["recall"][0] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_a_source_with_one_class_is_found(cases):
    cases.append(case(40, "covid", (0, 1, 0), source="south"))
    assert single_class_values(cases, ["source"]) == {"source": {"single": ["south"], "both": ["north"]}}


def test_one_source_predicts_nothing():
    assert single_class_values([case(0, "covid"), case(1, "covid")], ["source"]) == {}


def test_folds_without_a_value_have_no_mean():
    found = fold_metrics([case(0, "covid", (0.2, 0.5, 0.3))], CLASSES)["roc_auc"]
    assert found == {"mean": None, "std": None, "values": [None, None]}


def test_images_without_scores_have_no_folds():
    assert fold_metrics([case(0, "covid")], CLASSES) == {}
