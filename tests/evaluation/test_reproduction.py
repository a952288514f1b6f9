import csv
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from cxrnet.errors import UsageError
from cxrnet.evaluation.classifier import evaluate_classifier
from cxrnet.evaluation.reproduction import paper
from cxrnet.evaluation.reproduction.drawings import draw_scattering_tree
from cxrnet.evaluation.reproduction.reproduction import published_bundles, reproduce, run_step
from cxrnet.evaluation.reproduction.steps import classification_steps, network_section
from cxrnet.evaluation.reproduction.tables import classifier_table
from cxrnet.evaluation.reproduction.task import Section, Task
from cxrnet.evaluation.request import Request
from cxrnet.model.bundle import read_bundle
from cxrnet.model.config import ScatteringConfig
from cxrnet.model.metric_names import format_metric
from cxrnet.model.registry import SHIPPED
from cxrnet.nn.scattering import Scattering
from tests.evaluation.material import write_images, write_rows
from tests.material import draw_xray

FIGURES = ("Table 1", "Fig. 2", "Fig. 9", "Fig. 10", "Table 2", "Fig. 11", "Fig. 12", "Table 3", "Fig. 14")


@pytest.fixture
def started():
    """Titles of the evaluations that were started."""
    return []


@pytest.fixture
def task(pipeline, tmp_path, started):
    """A small model and data of both kinds."""

    @contextmanager
    def progress(title):
        started.append(title)
        yield lambda outcome, total: None

    for name in ("segmentation", "classification"):
        write_images(tmp_path / "data" / name, count=6)
    return Task(
        bundles=[pipeline.bundle],
        are_published=False,
        data=tmp_path / "data",
        out=tmp_path / "out",
        threshold=0.2,
        jobs=1,
        resamples=0,
        progress=progress,
    )


@pytest.mark.slow
def test_reproduction_makes_every_table_and_figure_once(task, started):
    page = reproduce(task).read_text()
    assert [name for name in FIGURES if f"<h2>{name}" not in page] == []
    assert paper.MAYBE_SEEN_REMARK in page
    assert paper.UNSEEN_REMARK not in page
    done = list(started)
    assert reproduce(task).read_text() == page
    assert started == done


def test_step_is_made_again_when_its_inputs_differ(task):
    made = []

    def make(folder):
        made.append(folder)
        return [Section(title="Table")]

    for inputs in ({"bundle": "a"}, {"bundle": "a"}, {"bundle": "b"}):
        run_step(task, "table", inputs, make)
    assert len(made) == 2


def test_step_is_made_again_when_a_picture_is_gone(task):
    made = []

    def make(folder):
        made.append(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "one.png").write_bytes(b"png")
        return [Section(title="Figure", pictures=({"file": "table/one.png", "caption": ""},))]

    run_step(task, "table", {}, make)
    (task.out / "table" / "one.png").unlink()
    run_step(task, "table", {}, make)
    assert len(made) == 2


@pytest.mark.parametrize(("split", "where"), [("test", {"split": "test"}), ("val", {})])
def test_classifier_is_evaluated_on_rows_that_no_training_reads(task, split, where):
    path = task.data / "classification" / "manifest.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    write_rows(path.parent, [row | {"split": split if at == 0 else "train"} for at, row in enumerate(rows)])
    inputs = {name: step_inputs for name, step_inputs, _ in classification_steps(task)}
    assert [inputs[name]["where"] for name in ("table-2", "table-3")] == [where] * 2


@pytest.mark.usefixtures("without_charts")
def test_out_of_fold_figures_of_the_card_stand_next_to_the_evaluation(task, pipeline):
    evaluation = evaluate_classifier(pipeline, Request(manifest=task.manifest("classification"), resamples=0))
    covid = read_bundle(SHIPPED / "covid")
    facts = next(one.metrics for one in covid.facts.evaluations if one.metrics.get("is_out_of_fold"))
    table = classifier_table("Table 2", paper.TABLE_2, evaluation, covid, {}, ())
    auc = dict(zip(table.header, table.rows[-1], strict=True))
    assert auc["metric"] == "ROC AUC"
    assert auc["out of fold, card [95 % interval]"] == format_metric(facts["overall"], "roc_auc")
    own = facts["by"]["source"]["ieee8023"]
    assert auc["out of fold within ieee8023, card"] == format_metric(own, "roc_auc")
    assert auc["ensemble [95 % interval]"] == format_metric(evaluation.record.content()["overall"], "roc_auc")


def test_scattering_tree_averages_its_moduli_to_the_coefficients():
    image, config = draw_xray(height=64, width=72)[0], ScatteringConfig()
    figure = draw_scattering_tree(image, config)
    drawn = {}
    for axes in figure.axes:
        drawn.setdefault(axes.get_title(), []).extend(each.get_array() for each in axes.images)
    coefficients = Scattering(config)(torch.from_numpy(image[None].astype(np.float32) / 255))[0].numpy()
    for title, first in (("order 0", 0), ("order 1", 1)):
        for number, found in enumerate(drawn[title]):
            np.testing.assert_allclose(found, coefficients[first + number], rtol=1e-4, atol=1e-5)
    assert drawn["psi(1,0)"][0].shape == (32, 36)
    assert any(np.allclose(drawn["order 2"][0], one, rtol=1e-4, atol=1e-5) for one in coefficients[13:])


def test_data_without_a_manifest_is_an_error(task, tmp_path):
    with pytest.raises(UsageError, match=r"manifest\.csv"):
        reproduce(replace(task, data=tmp_path))


@pytest.mark.slow
def test_published_networks_have_the_numbers_of_parameters_of_their_files(shared, task, tmp_path):
    bundles = published_bundles(shared / "reference", tmp_path / "bundles")
    rows = network_section(replace(task, bundles=bundles)).rows
    assert [row[-1] for row in rows] == ["59,941", "20,467", "122,802"] * 2
