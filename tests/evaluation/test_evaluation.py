from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrnet.data.manifest import Columns, read_manifest
from cxrnet.data.mask_values import MaskValues
from cxrnet.errors import BundleError, UsageError
from cxrnet.evaluation.classifier import evaluate_classifier
from cxrnet.evaluation.evaluation import write_evaluation
from cxrnet.evaluation.record import read_record
from cxrnet.evaluation.request import Request, digest_images, join_groups
from cxrnet.evaluation.segmenter import evaluate_segmenter
from cxrnet.screening.batch import Outcome
from cxrnet.screening.pipeline import Pipeline
from tests.evaluation.material import write_images, write_rows
from tests.material import draw_xray


@dataclass
class Done:
    """What an evaluation wrote into `out`, and what became of each image."""

    out: Path
    outcomes: list[Outcome]

    @property
    def metrics(self):
        return json.loads((self.out / "metrics.json").read_text(), parse_constant=pytest.fail)

    @property
    def rows(self):
        return list(csv.DictReader((self.out / "per_image.csv").read_text().splitlines()))

    @property
    def report(self):
        return (self.out / "report.html").read_text()


def evaluated(evaluate, pipeline, manifest, out, **changes):
    """The results of an evaluation on disk."""
    outcomes = []
    request = Request(manifest=manifest, resamples=50, **changes)
    write_evaluation(evaluate(pipeline, request, observe=lambda outcome, total: outcomes.append(outcome)), out)
    return Done(out, outcomes)


@pytest.fixture(scope="module")
def segmented(pipeline, images, tmp_path_factory):
    return evaluated(evaluate_segmenter, pipeline, images, tmp_path_factory.mktemp("segmented"))


@pytest.fixture(scope="module")
def organs(organs_bundle, tmp_path_factory):
    """Twelve images with label maps: those that the segmenter finds, one with its right lung as background."""
    folder = tmp_path_factory.mktemp("organs")
    manifest, rows = write_images(folder)
    with Pipeline.load(organs_bundle) as pipeline:
        for number, row in enumerate(rows):
            labels = pipeline.segment(folder / row["image"]).anatomy.labels(96, 108)
            labels[labels == (1 if number == 0 else 9)] = 0
            cv2.imwrite(str(folder / row["mask"]), labels)
        yield evaluated(evaluate_segmenter, pipeline, manifest, folder / "out")


def test_each_class_has_its_dice(organs):
    found = organs.metrics["overall"]["per_class"]
    assert list(found) == ["right lung", "left lung", "heart"]
    assert found["right lung"]["dice"]["value"] == pytest.approx(11 / 12)  # of 0 where it is found and not there
    assert found["left lung"]["dice"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 12, "skipped": 0}
    assert [row["dice_right lung"] for row in organs.rows] == ["0.000000", *["1.000000"] * 11]
    assert "<td>heart</td>" in organs.report


@pytest.mark.usefixtures("without_charts")
def test_lungs_alone_are_compared_where_their_value_is_named(organs, organs_bundle, images, tmp_path):
    with Pipeline.load(organs_bundle) as pipeline:
        done = evaluated(evaluate_segmenter, pipeline, images, tmp_path, mask_values=MaskValues(lung=("255",)))
        refused = evaluated(evaluate_segmenter, pipeline, images, tmp_path / "refused")
    assert done.metrics["overall"]["n"] == 12
    assert "per_class" not in done.metrics["overall"]
    assert refused.metrics["reasons"] == {"MASK_VALUES": 12}


@pytest.fixture(scope="module")
def classified(pipeline, images, tmp_path_factory):
    return evaluated(evaluate_classifier, pipeline, images, tmp_path_factory.mktemp("classified"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Manifest of twelve images: one is broken, one shows nothing, so that the gate refuses it."""
    path, _ = write_images(tmp_path_factory.mktemp("faulty"))
    (path.parent / "image3.png").write_bytes(b"nothing")
    flat = np.full((96, 108), 255, np.uint8)
    flat[0, 0] = 0
    cv2.imwrite(str(path.parent / "image4.png"), flat)
    return path


def test_segmenter_reaches_a_dice_of_0_9(segmented):
    dice = segmented.metrics["overall"]["dice"]
    assert dice["n"] == 12
    assert 0.85 < dice["low"] <= dice["value"] <= dice["high"] <= 1


def test_rows_keep_the_columns_of_the_manifest_and_gain_the_metrics(segmented, images):
    header = images.read_text().splitlines()[0].split(",")
    assert list(segmented.rows[0])[: len(header)] == header
    assert {"status", "dice", "precision", "recall", "hd95_px"} <= set(segmented.rows[0])
    mean = np.mean([float(row["dice"]) for row in segmented.rows])
    assert mean == pytest.approx(segmented.metrics["overall"]["dice"]["value"], abs=1e-6)


def test_results_are_split_by_the_columns_that_have_several_values(segmented):
    assert list(segmented.metrics["by"]) == ["source", "view"]
    assert {name: block["n"] for name, block in segmented.metrics["by"]["source"].items()} == {"north": 8, "south": 4}
    assert set(segmented.metrics["by"]["view"]) == {"PA", "(not given)"}


def test_distances_are_in_pixels_where_no_spacing_is_known(segmented):
    overall = segmented.metrics["overall"]
    assert overall["hd95_px"]["value"] > 0
    assert overall["hd95_mm"] == {"value": None, "low": None, "high": None, "n": 0, "skipped": 50}
    assert segmented.rows[0]["hd95_mm"] == ""
    assert "no image has a pixel spacing" in segmented.report


@pytest.mark.usefixtures("without_charts")
def test_distances_are_in_mm_where_dicom_tells_the_spacing(pipeline, dicom, tmp_path):
    path = dicom(PixelSpacing=[0.5, 0.25])
    lungs = draw_xray(3, height=130, width=150)[1].astype(np.uint8)
    cv2.imwrite(str(path.parent / "mask.png"), lungs * 255)
    manifest = write_rows(path.parent, [{"image": path.name, "mask": "mask.png"}])
    overall = evaluated(evaluate_segmenter, pipeline, manifest, tmp_path / "out").metrics["overall"]
    assert overall["hd95_mm"]["n"] == 1
    assert 0.25 <= overall["hd95_mm"]["value"] / overall["hd95_px"]["value"] <= 0.5


def test_the_record_names_model_manifest_and_seed(segmented, pipeline, images):
    record = segmented.metrics
    assert record["schema"] == "cxrnet.evaluation/1"
    assert record["model"]["sha256"] == pipeline.bundle.sha256
    assert record["manifest"]["rows"] == 12
    assert len(record["manifest"]["sha256"]) == 64
    assert record["bootstrap"]["seed"] == 0


def test_the_same_run_gives_the_same_files(segmented, pipeline, images, tmp_path):
    evaluated(evaluate_segmenter, pipeline, images, tmp_path, jobs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in segmented.out.iterdir())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (segmented.out / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["segmented", "classified"])
def test_the_report_holds_everything_and_asks_for_nothing(name, request):
    report = request.getfixturevalue(name).report
    assert "default-src 'none'" in report
    assert "http://" not in report
    assert "https://" not in report
    assert "<script" not in report
    assert report.count("data:image/png;base64,") == len(list(request.getfixturevalue(name).out.glob("*.png")))


def test_the_report_escapes_what_the_manifest_says(pipeline, tmp_path):
    path, rows = write_images(tmp_path / "images", count=2)
    rows[0]["source"] = "<script>alert(1)</script>"
    write_rows(path.parent, rows)
    report = evaluated(evaluate_segmenter, pipeline, path, tmp_path / "out").report
    assert "<script>" not in report
    assert "&lt;script&gt;alert(1)" in report


@pytest.mark.usefixtures("without_charts")
def test_unreadable_and_refused_images_are_counted(pipeline, faulty, tmp_path):
    done = evaluated(evaluate_segmenter, pipeline, faulty, tmp_path / "out")
    assert done.metrics["status"] == {"failed": 1, "segmented": 11}
    assert done.metrics["reasons"] == {"UNREADABLE": 1}
    assert done.metrics["without_result"][0]["line"] == 5
    overall = done.metrics["overall"]
    assert (overall["n"], overall["failed"]) == (11, 1)
    lowered = overall["failed_as_zero"]["dice"]["value"]
    assert lowered == pytest.approx(overall["dice"]["value"] * 11 / 12, abs=1e-5)
    assert (done.rows[3]["status"], done.rows[3]["dice"]) == ("failed", "")
    assert done.metrics["gate"]["would_refuse"] == 1
    assert done.rows[4]["gate"] == "LUNG_AREA | LOW_CONTRAST"


@pytest.mark.usefixtures("without_charts")
def test_missing_and_unlike_masks_fail_and_an_empty_one_is_never_perfect(pipeline, tmp_path):
    path, _ = write_images(tmp_path / "images", count=4)
    missing, turned, empty = (path.parent / "masks" / f"image{number}.png" for number in (1, 2, 3))
    missing.unlink()
    cv2.imwrite(str(turned), cv2.resize(cv2.imread(str(turned), cv2.IMREAD_UNCHANGED), (96, 108)))
    cv2.imwrite(str(empty), np.zeros((96, 108), np.uint8))
    done = evaluated(evaluate_segmenter, pipeline, path, tmp_path / "out")
    assert done.metrics["reasons"] == {"MASK_SIZE": 1, "NOT_FOUND": 1}
    assert done.metrics["warned"] == {"EMPTY_MASK": 1}
    assert (done.metrics["overall"]["n"], done.metrics["overall"]["empty_masks"]) == (2, 1)
    assert done.rows[3]["dice"] in ("", "0.000000")
    assert "1 reference masks have no lung" in done.report


@pytest.mark.usefixtures("without_charts")
def test_columns_can_be_renamed(pipeline, tmp_path):
    path, _ = write_images(tmp_path / "images", count=3)
    path.write_text(path.read_text().replace("label", "finding", 1).replace("group_id", "person", 1))
    columns = Columns(label="finding", group="person")
    record = evaluate_classifier(pipeline, Request(manifest=path, columns=columns, by=("view",), resamples=0)).record
    assert record.overall.groups == 3
    assert record.bootstrap.unit == "person"
    assert list(record.by) == ["view"]


@pytest.mark.usefixtures("without_charts")
def test_label_map_is_lung_where_it_is_not_0(pipeline, tmp_path):
    path, _ = write_images(tmp_path / "images", count=3)
    before = evaluated(evaluate_segmenter, pipeline, path, tmp_path / "before").metrics["overall"]
    for mask in (path.parent / "masks").iterdir():
        lungs = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) > 0
        sides = np.where(np.arange(lungs.shape[1]) < lungs.shape[1] // 2, 1, 2)
        cv2.imwrite(str(mask), (lungs * sides).astype(np.uint8))
    assert evaluated(evaluate_segmenter, pipeline, path, tmp_path / "after").metrics["overall"] == before


def test_all_images_failing_still_gives_a_report(pipeline, tmp_path):
    path, _ = write_images(tmp_path / "images", count=2)
    for image in path.parent.glob("*.png"):
        image.write_bytes(b"nothing")
    for evaluate in (evaluate_segmenter, evaluate_classifier):
        done = evaluated(evaluate, pipeline, path, tmp_path / evaluate.__name__)
        assert done.metrics["overall"]["n"] == 0
        assert "UNREADABLE" in done.report


def test_rows_of_a_classifier_hold_a_score_a_class(classified):
    row = classified.rows[0]
    assert row["status"] == "scored"
    assert float(row["score_covid"]) + float(row["score_non-covid"]) == pytest.approx(1, abs=1e-5)
    assert row["answer"] in {"covid", "non-covid"}


def test_classifier_metrics_are_those_of_the_rows(classified):
    from sklearn.metrics import roc_auc_score

    truth = [row["label"] == "covid" for row in classified.rows]
    auc = roc_auc_score(truth, [float(row["score_covid"]) for row in classified.rows])
    overall = classified.metrics["overall"]
    assert overall["roc_auc"]["value"] == pytest.approx(auc, abs=1e-6)
    assert overall["images"] == {"covid": 6, "non-covid": 6}
    assert classified.metrics["positive_class"] == "covid"


def test_folds_have_a_value_each(classified):
    folds = classified.metrics["folds"]["roc_auc"]
    assert len(folds["values"]) == 2
    assert folds["mean"] == pytest.approx(np.mean(folds["values"]), abs=1e-6)


def test_a_column_that_predicts_the_class_is_named(classified):
    assert classified.metrics["single_class"]["view"] == {"single": ["(not given)", "PA"], "both": []}
    assert "View and class are tied" in classified.report
    assert "source" not in classified.metrics["single_class"]


def test_a_subset_of_one_class_has_no_auc(classified):
    block = classified.metrics["by"]["view"]["PA"]
    assert block["roc_auc"]["value"] is None
    assert block["accuracy"]["value"] is not None


@pytest.mark.usefixtures("without_charts")
def test_images_without_a_score_are_counted_as_wrong(pipeline, faulty, tmp_path):
    done = evaluated(evaluate_classifier, pipeline, faulty, tmp_path / "out")
    overall = done.metrics["overall"]
    assert done.metrics["status"] == {"failed": 1, "refused": 1, "scored": 10}
    assert (overall["n"], overall["refused"], overall["failed"]) == (10, 1, 1)
    wrong = overall["unscored_as_wrong"]
    assert wrong["n"] == 12
    assert wrong["coverage"]["value"] == pytest.approx(10 / 12, abs=1e-6)
    assert wrong["accuracy"]["value"] == pytest.approx(overall["accuracy"]["value"] * 10 / 12, abs=1e-6)
    assert "LUNG_AREA" in done.report


@pytest.mark.parametrize(
    ("evaluate", "change", "options", "named"),
    [
        (evaluate_classifier, {}, {"columns": Columns(label="source")}, "column source has north, south"),
        (evaluate_classifier, {"label": ""}, {}, "line 3: no label"),
        (evaluate_segmenter, {"mask": ""}, {}, "line 3: no mask"),
        (evaluate_segmenter, {"dice": "0.9"}, {}, "column dice"),
        (evaluate_segmenter, {}, {"by": ("hospital",)}, "--by hospital"),
        (evaluate_classifier, {"image": "./image0.png"}, {}, "lines 2, 3: .* is labelled covid and non-covid"),
    ],
)
def test_manifest_that_does_not_fit_is_refused_with_the_place(pipeline, tmp_path, evaluate, change, options, named):
    path, rows = write_images(tmp_path, count=3)
    rows[1] |= change
    write_rows(tmp_path, [dict.fromkeys(rows[1], "") | row for row in rows])
    with pytest.raises(UsageError, match=named):
        evaluate(pipeline, Request(manifest=path, **options))


def test_column_to_split_by_has_few_values(pipeline, tmp_path):
    path, rows = write_images(tmp_path, count=1)
    write_rows(tmp_path, [rows[0] | {"image": f"{number}.png", "view": str(number)} for number in range(61)])
    with pytest.raises(UsageError, match="--by view: has 61 values"):
        evaluate_segmenter(pipeline, Request(manifest=path, by=("view",)))


def test_a_bundle_without_classifier_has_no_classes_to_evaluate(small_bundle, images, tmp_path):
    with Pipeline.load(small_bundle) as pipeline:
        config = pipeline.bundle.config.model_copy(update={"classifier": None})
        object.__setattr__(pipeline.bundle, "config", config)
        with pytest.raises(BundleError, match="small: has no classifier; use `cxrnet evaluate segmenter`"):
            evaluate_classifier(pipeline, Request(manifest=images))


def test_evaluation_does_not_need_torch():
    import subprocess

    program = "import sys, cxrnet.evaluation.classifier; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_images_are_the_same_in_another_order_and_other_folds_and_not_without_one(images):
    samples = read_manifest(images).samples
    moved = [replace(sample, line=1, split="x") for sample in reversed(samples)]
    assert digest_images(moved) == digest_images(samples)
    assert digest_images(samples[1:]) != digest_images(samples)


def test_groups_that_share_a_patient_are_one_unit_of_the_bootstrap(images):
    samples = read_manifest(images).samples[:3]
    shared = [replace(sample, patient=patient) for sample, patient in zip(samples, ("p", "q", "p"), strict=True)]
    assert [sample.group for sample in join_groups(shared)] == ["g0", "g1", "g0"]


def test_record_is_read_back(segmented):
    record = read_record(segmented.out / "metrics.json")
    assert record.overall.n == 12
    assert record.content() == segmented.metrics


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "cxrnet.evaluation/9"}'])
def test_record_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UsageError, match=r"metrics\.json: "):
        read_record(tmp_path / "metrics.json")
