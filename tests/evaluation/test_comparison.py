from dataclasses import replace

import numpy as np
import pytest

from cxrnet.errors import UsageError
from cxrnet.evaluation.classifier import evaluate_classifier
from cxrnet.evaluation.comparison import THRESHOLDS, net_benefit, read_result, roc_band, write_comparison
from cxrnet.evaluation.evaluation import write_evaluation
from cxrnet.evaluation.request import Request


@pytest.fixture(scope="module")
def evaluated(pipeline, images, tmp_path_factory):
    """OUT folder of an evaluation of the small model."""
    out = tmp_path_factory.mktemp("evaluated")
    write_evaluation(evaluate_classifier(pipeline, Request(manifest=images, resamples=20)), out)
    return out


def test_comparison_has_every_plot_with_its_numbers(evaluated, tmp_path):
    report = write_comparison([read_result(evaluated), read_result(evaluated)], tmp_path).read_text()
    names = {path.stem for path in tmp_path.glob("*.png")}
    assert names == {"roc", "decision", "forest", "confusion_1", "confusion_2"}
    assert names == {path.stem for path in tmp_path.glob("*.svg")} == {path.stem for path in tmp_path.glob("*.csv")}
    assert report.count("data:image/png;base64") == len(names)


def test_predictions_by_source_count_every_image(evaluated, tmp_path):
    write_comparison([read_result(evaluated)], tmp_path)
    header, *rows = (line.split(",") for line in (tmp_path / "confusion_1.csv").read_text().splitlines())
    assert header[-1] == "no score"
    assert sum(int(cell) for row in rows for cell in row[2:]) == 12


def test_one_patient_in_two_groups_is_one_group(evaluated, tmp_path):
    record = (evaluated / "metrics.json").read_text()
    (tmp_path / "metrics.json").write_text(record)
    header, *rows = (evaluated / "per_image.csv").read_text().splitlines()
    patients = ["007", "7", *("" for _ in rows[2:])]
    rows = [f"{row},{patient}" for row, patient in zip(rows, patients, strict=True)]
    (tmp_path / "per_image.csv").write_text("\n".join([f"{header},patient_id", *rows]))
    before, after = read_result(evaluated).groups, read_result(tmp_path).groups
    assert after[0] == after[1] == before[0] != before[1]
    assert after[2:] == before[2:]


def test_result_is_refused_when_the_class_is_unknown(evaluated):
    with pytest.raises(UsageError, match="measles"):
        read_result(evaluated, "measles")


def test_folder_without_an_evaluation_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read"):
        read_result(tmp_path)


def test_net_benefit_of_perfect_scores_is_the_prevalence():
    truth = np.array([True, False, False, True, False])
    assert np.allclose(net_benefit(truth, truth.astype(float)), 0.4)


def test_net_benefit_of_calling_everyone_is_zero_at_the_prevalence():
    truth = np.array([True, False, False, False])
    at = int(np.argmin(np.abs(THRESHOLDS - 0.25)))
    assert net_benefit(truth, np.ones(4))[at] == pytest.approx(0)


def test_roc_band_narrows_with_the_number_of_groups(evaluated):
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.5
    scores = (truth * 0.4 + rng.random(2000)) / 1.4

    def width(count):
        groups = tuple(map(str, range(count)))
        result = replace(read_result(evaluated), truth=truth[:count], scores=scores[:count], groups=groups)
        low, high = roc_band(result)
        return float((high - low).mean())

    assert width(2000) < 0.5 * width(100)
