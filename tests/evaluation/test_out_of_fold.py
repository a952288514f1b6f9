import csv
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from cxrnet.cli import app
from cxrnet.errors import UsageError
from cxrnet.evaluation.evaluation import write_evaluation
from cxrnet.evaluation.out_of_fold import calibrated_across, evaluate_folds
from cxrnet.evaluation.request import Request
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.run import write_result

CLASSES = ("covid", "non-covid")
IMAGES = 48


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def run(tmp_path):
    """A classifier run of two folds whose first fold is always right and whose second is always wrong."""
    folder = tmp_path / "covid"
    settings = ClassifierTraining(folds=2).model_dump(mode="json")
    segmenter = {"name": "lungs", "version": "1.0", "sha256": "0" * 64}
    record = {"kind": "classifier", "settings": settings, "segmenter": segmenter, "films": {"sha256": "0" * 64}}
    rows = [
        {
            "image": f"{number}.png",
            "label": CLASSES[number % 2],
            "group_id": f"g{number}",
            "source": "ab"[number < IMAGES // 4],
            "fold": number // 2 % 2,
        }
        for number in range(IMAGES)
    ]
    write_table(folder / "folds.csv", rows)
    (folder / "training.json").write_text(json.dumps(record))
    (folder / "standardisation.json").write_text('{"mean": 100.0, "std": 50.0}')
    chance = np.random.default_rng(0)
    for fold, sign in ((0, 1), (1, -1)):
        held_out = [
            {name: row[name] for name in ("image", "label")}
            | {
                f"logit_{name}": sign * (2.0 if row["label"] == name else -2.0) + float(chance.normal(0, 0.1))
                for name in CLASSES
            }
            for row in rows
            if row["fold"] == fold
        ]
        write_table(folder / f"fold{fold}" / "out_of_fold.csv", held_out)
        own = folder / f"fold{fold}"
        (own / "training.json").write_text(json.dumps({"kind": "fold", "fold": fold, "settings": settings}))
        (own / "last.safetensors").write_bytes(bytes([fold]))
        write_result(own, {"epochs": 1})
    return folder


def evaluate(run, out):
    evaluation = evaluate_folds([run], Request(manifest=run / "folds.csv", resamples=50))
    write_evaluation(evaluation, out)
    return evaluation.record.content()


@pytest.mark.usefixtures("without_charts")
def test_folder_of_a_fold_that_the_training_has_not_is_refused(run, tmp_path):
    (run / "fold1.old").mkdir()
    evaluate(run, tmp_path / "report")
    shutil.copytree(run / "fold1", run / "fold2")
    with pytest.raises(UsageError, match="fold2: is not one of the 2 folds of its training"):
        evaluate(run, tmp_path / "report")


@pytest.mark.usefixtures("without_charts")
def test_each_image_is_scored_by_the_fold_that_has_not_seen_it(run, tmp_path):
    record = evaluate(run, tmp_path / "report")
    assert record["folds"]["roc_auc"]["values"] == [1.0, 0.0]
    assert record["overall"]["n"] == IMAGES
    assert set(record["by"]["source"]) == {"a", "b"}
    assert record["overall"]["conformal"]["per_class"]["covid"]["n"] == IMAGES // 2
    with (tmp_path / "report" / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["conformal_set"] for row in rows} <= {"", *CLASSES, " | ".join(CLASSES)}
    assert [row["image"] for row in rows] == [f"{number}.png" for number in range(IMAGES)]
    assert "was not trained on" in (tmp_path / "report" / "report.html").read_text()


def test_calibration_of_a_fold_knows_nothing_of_it():
    chance = np.random.default_rng(1)
    labels, folds = chance.integers(0, 2, 60), np.arange(60) % 3
    logits = chance.normal(0, 1, (60, 2))
    before, sets = calibrated_across(logits, labels, folds, CLASSES)
    assert before.sum(axis=1) == pytest.approx(1)
    labels[folds == 0] = 1 - labels[folds == 0]
    after, others = calibrated_across(logits, labels, folds, CLASSES)
    np.testing.assert_array_equal(before[folds == 0], after[folds == 0])
    assert not np.allclose(before[folds != 0], after[folds != 0])
    assert sets[::3] == others[::3]


def test_fold_that_has_not_ended_is_named(run, tmp_path):
    (run / "fold1" / "result.json").unlink()
    with pytest.raises(UsageError, match="fold 1 has not ended; train it with --fold 1 and --resume"):
        evaluate(run, tmp_path / "report")


def test_logits_of_other_images_are_refused(run, tmp_path):
    path = run / "fold0" / "out_of_fold.csv"
    path.write_text(path.read_text().replace("4.png", "other.png"))
    write_result(run / "fold0", {"epochs": 1})
    with pytest.raises(UsageError, match=r"has other images or labels than folds\.csv"):
        evaluate(run, tmp_path / "report")


def copied(run):
    shutil.rmtree(run / "fold1")
    shutil.copytree(run / "fold0", run / "fold1")


def exchanged(run):
    content = [(run / f"fold{number}" / "last.safetensors").read_bytes() for number in (1, 0)]
    for number in (0, 1):
        (run / f"fold{number}" / "last.safetensors").write_bytes(content[number])


def relabelled(run):
    path = run / "folds.csv"
    path.write_text(path.read_text().replace("0.png,covid", "0.png,non-covid", 1))


DAMAGES = {
    copied: "fold1: holds fold 0",
    exchanged: "last.safetensors: is not the file that the training wrote",
    relabelled: "out_of_fold.csv: has other images or labels than folds.csv",
    lambda run: (run / "fold0" / "result.json").write_text("{"): "result.json: is damaged",
    lambda run: (run / "fold0" / "training.json").write_text("{"): "training.json: is damaged",
    lambda run: (run / "folds.csv").write_text("image,label,fold\n0.png,covid,7\n"): "one of the folds 0 to 1",
    lambda run: (run / "training.json").write_text(
        '{"kind": "classifier", "settings": {}}'
    ): "training.json: is damaged",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_run_whose_files_do_not_belong_together_is_not_evaluated(run, tmp_path, damage):
    damage(run)
    with pytest.raises(UsageError, match=DAMAGES[damage]):
        evaluate(run, tmp_path / "report")


def test_segmenter_run_is_refused(run, tmp_path):
    (run / "training.json").write_text(json.dumps({"kind": "segmenter", "settings": {}}))
    with pytest.raises(UsageError, match="is the training of a segmenter"):
        evaluate(run, tmp_path / "report")


def test_command_writes_the_report(run, tmp_path):
    out = tmp_path / "report"
    result = CliRunner().invoke(app, ["evaluate", "folds", str(run), "--out", str(out), "--resamples", "20"])
    assert result.exit_code == 0, result.output
    assert "ROC AUC" in result.output
    assert json.loads((out / "metrics.json").read_text())["is_out_of_fold"] is True
