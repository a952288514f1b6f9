"""`cxrnet train` and `cxrnet ensemble` on made-up radiographs of 64 x 72 pixels."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from cxrnet import Pipeline
from cxrnet.model.bundle import read_bundle
from tests.data.conftest import write_mask, write_rows, write_xray
from tests.material import open_gate

SEGMENTER = """
segmenter: {filters: 4, blocks: 2, branches: [{kernel: 3, dilation: 1}]}
preparation: {height: 64, width: 72}
phases: [{epochs: 1, batch: 4, scale: 0.5}, {epochs: 1, batch: 4}]
"""
CLASSIFIER = """
classifier: {filters: 4, blocks: 2}
preparation: {height: 64, width: 72}
epochs: 2
batch: 4
variants: 2
folds: 2
"""


@pytest.fixture(autouse=True)
def threads():
    """PyTorch with the threads it had."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def gate(tmp_path_factory, monkeypatch):
    """In place of the gate that comes with the package one that lets made-up radiographs pass."""
    path = tmp_path_factory.mktemp("gate") / "view.onnx"
    path.write_bytes(open_gate())
    monkeypatch.setattr("cxrnet.model.bundle.SHIPPED_GATE", path)


@pytest.fixture(scope="module")
def xrays(tmp_path_factory):
    """Folder with `xrays.csv`, 12 radiographs of 12 patients, and settings for a segmenter and for a classifier."""
    folder = tmp_path_factory.mktemp("xrays")
    rows = []
    for seed in range(12):
        write_mask(folder / f"{seed}m.png", write_xray(folder / f"{seed}.png", seed, height=64, width=72))
        label = ("covid", "non-covid")[seed % 2]
        rows.append({"image": f"{seed}.png", "mask": f"{seed}m.png", "label": label, "patient_id": f"p{seed}"})
    write_rows(folder / "xrays.csv", rows)
    (folder / "segmenter.yaml").write_text(SEGMENTER)
    (folder / "classifier.yaml").write_text(CLASSIFIER)
    return folder


@pytest.fixture(scope="module")
def run(exported_once):
    """Function that runs a command in process, for fixtures of the whole file."""
    from typer.testing import CliRunner

    from cxrnet.cli import app

    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def table(path):
    """Rows of a CSV file."""
    return list(csv.DictReader(path.read_text().splitlines()))


def segmenter_words(xrays, out, *more):
    settings = xrays / "segmenter.yaml"
    words = ["train", "segmenter", "-m", xrays / "xrays.csv", "-o", out, "--config", settings, "--threads", 1]
    return [*words, *more]


def classifier_words(xrays, out, lungs, *more):
    settings = xrays / "classifier.yaml"
    words = ["train", "classifier", "-m", xrays / "xrays.csv", "-o", out, "--config", settings, "--threads", 1]
    return [*words, "--lungs", lungs, *more]


@pytest.fixture(scope="module")
def segmenter_run(xrays, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "segmenter"
    run(*segmenter_words(xrays, folder))
    return folder


@pytest.fixture(scope="module")
def classifier_run(xrays, run, small_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "classifier"
    run(*classifier_words(xrays, folder, small_bundle))
    return folder


@pytest.fixture(scope="module")
def segmenter_bundle(segmenter_run, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "mine"
    run("ensemble", segmenter_run, "-o", folder)
    return folder


def refuses(said, words):
    """Check that a command ended in one line with these words and with code 2."""
    *_, line = said.err.splitlines()
    assert said.code == 2, said
    assert line.startswith("ERROR ")
    assert said.err.count("ERROR ") == 1
    assert words in line


def test_segmenter_run_holds_what_was_asked_and_what_came_out(segmenter_run):
    left = {path.name for path in segmenter_run.iterdir()}
    assert left == {
        "best.safetensors",
        "checkpoints",
        ".lock",
        "curves.png",
        "data.json",
        "files.json",
        "images.h5",
        "history.csv",
        "last.safetensors",
        "result.json",
        "tensorboard",
        "training.json",
    }
    record = json.loads((segmenter_run / "training.json").read_text())
    assert (record["kind"], record["films"]["train"], record["films"]["val"]) == ("segmenter", 10, 2)
    assert cv2.imread(str(segmenter_run / "curves.png")) is not None


def test_bundle_of_a_segmenter_segments_with_the_trained_weights(segmenter_bundle, xrays, cxrnet, tmp_path):
    said = cxrnet("segment", xrays / "3.png", "--bundle", segmenter_bundle, "--out", tmp_path)
    assert said.code == 0, said.err
    assert cv2.imread(str(tmp_path / "3" / "lungs.png"), cv2.IMREAD_GRAYSCALE).shape == (64, 72)
    said = cxrnet("screen", xrays / "3.png", "--bundle", segmenter_bundle, "--out", tmp_path)
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_bundle_of_a_segmenter_has_name_settings_counts_and_card(segmenter_bundle, segmenter_run):
    bundle = read_bundle(segmenter_bundle)
    assert (bundle.config.name, bundle.config.lungs_include_heart, bundle.config.folds) == ("mine", True, 0)
    assert "val_dice" in bundle.card
    facts = bundle.facts
    record = json.loads((segmenter_run / "training.json").read_text())
    assert {part.split: part.images for part in facts.data.sources} == {"train": 10, "val": 2}
    assert facts.data.sha256 == record["films"]["sha256"]
    assert facts.training.settings == record["settings"]
    result = json.loads((segmenter_run / "result.json").read_text())
    assert set(result.pop("sha256")) == {"best.safetensors", "last.safetensors"}
    assert facts.training.results["segmenter"] == result


def test_run_of_before_there_were_counts_gets_them_when_it_is_resumed(segmenter_run, xrays, cxrnet, tmp_path):
    run = shutil.copytree(segmenter_run, tmp_path / "segmenter")
    counts = (run / "data.json").read_bytes()
    (run / "data.json").unlink()
    assert cxrnet("ensemble", run, "-o", tmp_path / "without").code == 0
    assert read_bundle(tmp_path / "without").facts.data is None
    assert cxrnet(*segmenter_words(xrays, run, "--resume")).code == 0
    assert (run / "data.json").read_bytes() == counts


def test_damaged_counts_are_refused(segmenter_run, cxrnet, tmp_path):
    run = shutil.copytree(segmenter_run, tmp_path / "segmenter")
    (run / "data.json").write_text("{}")
    refuses(cxrnet("ensemble", run, "-o", tmp_path / "bundle"), "data.json: is not of this version's form")


def test_card_of_an_ensemble_takes_the_figures_of_its_own_folds(classifier_run, small_bundle, cxrnet, tmp_path):
    cxrnet("ensemble", classifier_run, "--out", tmp_path / "whole", "--lungs", small_bundle)
    said = cxrnet("evaluate", "folds", classifier_run, "--out", tmp_path / "folds", "--resamples", 20)
    assert said.code == 0, said.err
    said = cxrnet("weights", "card", tmp_path / "whole", "--evaluation", f"out of fold={tmp_path / 'folds'}")
    assert said.code == 0, said.err
    bundle = read_bundle(tmp_path / "whole")
    assert bundle.facts.segmenter.sha256 == read_bundle(small_bundle).sha256
    assert "every image by the fold that had not seen it" in bundle.card
    assert {part.split: part.images for part in bundle.facts.data.sources} == {"all": 12}


def test_classifier_run_holds_folds_and_what_they_say_of_unseen_xrays(classifier_run):
    rows = table(classifier_run / "folds.csv")
    assert len(rows) == 12
    unseen = []
    for fold in ("0", "1"):
        held_out = table(classifier_run / f"fold{fold}" / "out_of_fold.csv")
        assert list(held_out[0]) == ["image", "label", "group_id", "logit_covid", "logit_non-covid"]
        unseen += [row["image"].rpartition("/")[2] for row in held_out]
        assert {row["image"] for row in rows if row["fold"] == fold} == set(unseen[-len(held_out) :])
    assert sorted(unseen) == sorted(row["image"] for row in rows)


def test_ensemble_screens_and_says_what_its_folds_say(classifier_run, small_bundle, xrays, cxrnet, tmp_path):
    said = cxrnet("ensemble", classifier_run, "--out", tmp_path / "whole", "--lungs", small_bundle)
    assert said.code == 0, said.err
    with Pipeline.load(tmp_path / "whole") as pipeline:
        calibration = pipeline.bundle.config.calibration
        found = {xray: pipeline.screen(xrays / f"{xray}.png") for xray in (0, 1, 2, 3)}
    for fold in (0, 1):
        for row in table(classifier_run / f"fold{fold}" / "out_of_fold.csv"):
            number = int(row["image"].rpartition("/")[2].removesuffix(".png"))
            if number in found:
                expected = calibration.probabilities([float(row["logit_covid"]), float(row["logit_non-covid"])])
                assert found[number].folds["covid"][fold] == pytest.approx(expected[0], abs=2e-3)


def test_classifier_that_is_resumed_when_done_changes_nothing(classifier_run, xrays, small_bundle, cxrnet):
    before = {path: path.read_bytes() for path in classifier_run.rglob("*") if path.is_file()}
    said = cxrnet(*classifier_words(xrays, classifier_run, small_bundle, "--resume"))
    assert said.code == 0, said.err
    assert {path: path.read_bytes() for path in classifier_run.rglob("*") if path.is_file()} == before


def test_single_fold_is_trained_when_asked_for(xrays, small_bundle, cxrnet, tmp_path):
    said = cxrnet(*classifier_words(xrays, tmp_path, small_bundle, "--fold", "1"))
    assert said.out.startswith("fold 1: 2 epochs, best loss ")
    assert (tmp_path / "fold1").is_dir()
    assert not (tmp_path / "fold0").exists()
    said = cxrnet("ensemble", tmp_path, "--out", tmp_path / "b", "--lungs", small_bundle)
    refuses(said, f"{tmp_path}: fold 0 has not ended; train it with --fold 0")


def test_started_run_needs_resume(segmenter_run, xrays, cxrnet):
    refuses(cxrnet(*segmenter_words(xrays, segmenter_run)), "holds a training; resume it with --resume")


def test_run_is_not_resumed_with_other_settings(segmenter_run, xrays, cxrnet):
    said = cxrnet(*segmenter_words(xrays, segmenter_run, "--resume", "--seed", 5))
    refuses(said, "was started with other settings; resume with the same")


def test_run_is_not_resumed_with_other_xrays(segmenter_run, xrays, cxrnet):
    said = cxrnet(*segmenter_words(xrays, segmenter_run, "--resume", "--where", "label=covid"))
    refuses(said, "was started with other rows of the manifest")


def test_segmenter_without_masks_is_refused(xrays, cxrnet, tmp_path):
    shutil.copytree(xrays, tmp_path / "xrays")
    rows = [{"image": f"{seed}.png", "patient_id": f"p{seed}"} for seed in range(12)]
    write_rows(tmp_path / "xrays" / "xrays.csv", rows)
    refuses(cxrnet(*segmenter_words(tmp_path / "xrays", tmp_path / "run")), "has no mask")


def with_columns(xrays, folder, columns):
    """A copy of the radiographs whose manifest has these further columns, functions of the number of a row."""
    shutil.copytree(xrays, folder)
    rows = table(xrays / "xrays.csv")
    for number, row in enumerate(rows):
        row.update({name: str(value(number)) for name, value in columns.items()})
    write_rows(folder / "xrays.csv", rows)
    return folder


CLASSIFIER_FAULTS = {
    "unknown label": ({"label": lambda n: "measles" if n == 3 else "covid"}, "line 5 has label 'measles'; classes are"),
    "no label": ({"label": lambda n: "" if n == 3 else "covid"}, "line 5 has label None; classes are"),
    "one class": ({"label": lambda _: "covid"}, "no image of class non-covid is left to train fold 0"),
    "missing fold": ({"fold": lambda _: 0}, "column fold holds 0; every row needs one of 0 to 1, and all are needed"),
    "empty fold": ({"fold": lambda n: n % 2 if n else ""}, "column fold holds 0, 1, nothing; every row needs"),
    "class in one fold": ({"fold": lambda n: n % 2}, "no image of class covid is left to train fold 0"),
    "divided group": (
        {"fold": lambda n: n // 2 % 2, "patient_id": lambda n: f"p{n // 4}"},
        "patient p0 is in fold 0 and fold 1; keep it in one fold",
    ),
}


@pytest.mark.parametrize("fault", CLASSIFIER_FAULTS)
def test_classifier_xrays_at_fault_are_refused(xrays, small_bundle, cxrnet, tmp_path, fault):
    columns, words = CLASSIFIER_FAULTS[fault]
    folder = with_columns(xrays, tmp_path / "xrays", columns)
    refuses(cxrnet(*classifier_words(folder, tmp_path / "run", small_bundle)), words)
    assert not (tmp_path / "run").exists()


def test_fold_that_does_not_exist_is_refused(xrays, small_bundle, cxrnet, tmp_path):
    said = cxrnet(*classifier_words(xrays, tmp_path / "run", small_bundle, "--only", 7))
    refuses(said, "--fold 7: no such fold; there are 0 to 1")


@pytest.mark.parametrize("split", ["test", "val", "external"])
def test_split_without_images_to_train_on_is_refused(xrays, cxrnet, tmp_path, split):
    folder = with_columns(xrays, tmp_path / "xrays", {"split": lambda _: split})
    refuses(cxrnet(*segmenter_words(folder, tmp_path / "run")), "manifest: the split column has")


def test_single_group_is_refused(xrays, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {"patient_id": lambda _: "p"})
    refuses(cxrnet(*segmenter_words(folder, tmp_path / "run")), "1 group of images")


def test_few_groups_are_divided_as_they_can(xrays, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {"patient_id": lambda n: f"p{n // 4}"})
    said = cxrnet(*segmenter_words(folder, tmp_path / "run"))
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "run" / "training.json").read_text())["films"]["val"] == 4


@pytest.mark.parametrize(("kind", "name"), [("segmenter", "abacus"), ("classifier", "tpu")])
def test_accelerator_that_is_not_there_is_refused_before_a_run_begins(
    xrays, small_bundle, cxrnet, tmp_path, kind, name
):
    words = segmenter_words(xrays, tmp_path / "run")
    if kind == "classifier":
        words = classifier_words(xrays, tmp_path / "run", small_bundle)
    refuses(cxrnet(*words, "--accelerator", name), f"--accelerator {name}: is not known, or not there; cpu always is")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--preset", "--weights"])
def test_choice_that_is_not_known_is_refused(xrays, cxrnet, tmp_path, option):
    words = ["train", "segmenter", "-m", xrays / "xrays.csv"] if option == "--preset" else ["ensemble", tmp_path]
    said = cxrnet(*words, "-o", tmp_path / "run", option, "first")
    assert said.code == 2
    assert "'first' is not one of" in said.err


def test_single_fold_is_no_ensemble(classifier_run, cxrnet, tmp_path):
    said = cxrnet("ensemble", classifier_run / "fold0", "--out", tmp_path / "b")
    refuses(said, "is a single fold; give the folder above it")


def broken(name, content):
    def change(run):
        path = run / name
        path.write_bytes(path.read_bytes()[:-20] if content is None else content)

    return change


def swapped(run):
    (run / "fold0").rename(run / "aside")
    (run / "fold1").rename(run / "fold0")
    (run / "aside").rename(run / "fold1")


def copied(run):
    shutil.rmtree(run / "fold1")
    shutil.copytree(run / "fold0", run / "fold1")


def exchanged(name):
    def change(run):
        one, other = (run / f"fold{number}" / name for number in (0, 1))
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)

    return change


def without_digests(name):
    """As `exchanged`, in a run of a version that wrote no digests."""

    def change(run):
        exchanged(name)(run)
        for number in (0, 1):
            path = run / f"fold{number}" / "result.json"
            result = json.loads(path.read_text())
            del result["sha256"]
            path.write_text(json.dumps(result))

    return change


FOLDS_AT_ODDS = {
    "swapped": (swapped, "holds fold 1"),
    "copied": (copied, "holds fold 0"),
    "logits exchanged": (exchanged("out_of_fold.csv"), "is not the file that the training wrote"),
    "logits exchanged in an old run": (without_digests("out_of_fold.csv"), "has other images or labels"),
    "weights cut": (broken("fold0/last.safetensors", None), "is not the file that the training wrote"),
    "result cut": (broken("fold0/result.json", None), "result.json: is damaged"),
    "record cut": (broken("fold0/training.json", None), "folder that `cxrnet train --out` made"),
    "result missing": (lambda run: (run / "fold0" / "result.json").unlink(), "fold 0 has not ended"),
    "another mean": (
        lambda run: (run / "standardisation.json").write_text('{"mean": 1.0, "std": 1.0}'),
        "standardisation.json: is not what",
    ),
    "counts of other images": (
        lambda run: edited("data.json", lambda facts: facts.update(sha256="0" * 64))(run),
        "data.json: is of other images than the training",
    ),
    "settings of another version": (
        lambda run: edited("training.json", lambda record: record["settings"].update(newer=1))(run),
        "training.json: newer: Extra inputs are not permitted",
    ),
    "folds cut": (broken("folds.csv", b"image,fold"), "folds.csv: has no rows"),
    "mean cut": (broken("standardisation.json", b"{"), "standardisation.json: is damaged"),
    "settings": (
        lambda run: edited("training.json", lambda record: record["settings"].update(epochs=3))(run / "fold1"),
        "was trained with other epochs than its run",
    ),
    "foreign": (
        lambda run: edited("training.json", lambda record: record.update(run="0" * 64))(run / "fold1"),
        "belongs to a training with other images, folds or lung masks",
    ),
}


@pytest.mark.parametrize("fault", FOLDS_AT_ODDS)
def test_run_with_a_fold_that_is_not_its_own_makes_no_bundle(classifier_run, small_bundle, cxrnet, tmp_path, fault):
    change, words = FOLDS_AT_ODDS[fault]
    run = shutil.copytree(classifier_run, tmp_path / "run")
    change(run)
    refuses(cxrnet("ensemble", run, "--out", tmp_path / "b", "--lungs", small_bundle), words)
    assert not (tmp_path / "b").exists()


LEAKS_OF_A_CLASSIFIER = {
    "patient in two folds": {"fold": lambda n: n % 3 // 2, "patient_id": lambda n: f"p{n // 2}"},
    "image by two spellings": {"image": lambda n: "./0.png" if n == 2 else f"{n}.png", "fold": lambda n: n // 2 % 2},
    "two labels": {"image": lambda n: "./0.png" if n == 1 else f"{n}.png"},
    "patient in test": {"split": lambda n: "test" if n == 3 else "train", "patient_id": lambda n: f"p{n // 2}"},
}


@pytest.mark.parametrize("leak", LEAKS_OF_A_CLASSIFIER)
def test_classifier_does_not_train_on_leaks(xrays, small_bundle, cxrnet, tmp_path, leak):
    folder = with_columns(xrays, tmp_path / "xrays", LEAKS_OF_A_CLASSIFIER[leak])
    said = cxrnet(*classifier_words(folder, tmp_path / "run", small_bundle))
    assert said.code == 2
    assert "accept these with --allow-leaks" in said.err
    assert "line" in said.err
    assert not (tmp_path / "run").exists()


def test_leaks_that_are_accepted_are_recorded(xrays, cxrnet, tmp_path):
    columns = {"split": lambda n: "train" if n < 8 else "validation", "patient_id": lambda n: f"p{n // 3}"}
    folder = with_columns(xrays, tmp_path / "xrays", columns)
    refuses(cxrnet(*segmenter_words(folder, tmp_path / "run")), "patient p2 is in train and val")
    said = cxrnet(*segmenter_words(folder, tmp_path / "run", "--allow-leaks"))
    assert said.code == 0, said.err
    assert "8 rows of the split train are trained on, 4 of the split val" in said.err
    (leak, *_) = json.loads((tmp_path / "run" / "data.json").read_text())["accepted_leaks"]
    assert leak.startswith("PATIENT_LEAK lines 8, 9, 10")
    cxrnet("ensemble", tmp_path / "run", "--out", tmp_path / "b")
    assert "patient p2 is in train and val" in (tmp_path / "b" / "card.md").read_text()


def test_near_duplicate_in_two_folds_is_refused(xrays, small_bundle, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {"fold": lambda n: n // 2 % 2})
    shutil.copy(folder / "0.png", folder / "2.png")
    said = cxrnet(*classifier_words(folder, tmp_path / "run", small_bundle))
    refuses(said, "DUPLICATE_LEAK lines 2, 4: 0.png and 2.png look the same")


def test_rows_of_test_are_not_trained_on(xrays, small_bundle, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {"split": lambda n: "test" if n < 4 else "train"})
    said = cxrnet(*classifier_words(folder, tmp_path / "run", small_bundle, "--fold", 0))
    assert said.code == 0, said.err
    assert "4 rows of the split test are left out" in said.err
    assert [row["image"] for row in table(tmp_path / "run" / "folds.csv")] == [f"{n}.png" for n in range(4, 12)]


def test_label_maps_are_lung_wherever_they_are_not_0(xrays, segmenter_run, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {})
    for seed in range(12):
        mask = cv2.imread(str(folder / f"{seed}m.png"), cv2.IMREAD_GRAYSCALE) // 255
        mask[:, 36:] *= 2
        cv2.imwrite(str(folder / f"{seed}m.png"), mask)
    said = cxrnet(*segmenter_words(folder, tmp_path / "labels"))
    assert said.code == 0, said.err
    assert "NOTE LABEL_MAP" in said.err
    assert (tmp_path / "labels" / "last.safetensors").read_bytes() == (segmenter_run / "last.safetensors").read_bytes()


def test_empty_masks_alone_are_refused(xrays, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {})
    for seed in range(12):
        write_mask(folder / f"{seed}m.png", np.zeros((64, 72), bool))
    said = cxrnet(*segmenter_words(folder, tmp_path / "run"))
    assert said.code == 2
    assert "masks of train has a lung" in said.err


def test_masks_that_changed_under_their_names_are_noticed_at_a_resume(xrays, segmenter_run, cxrnet, tmp_path):
    folder = with_columns(xrays, tmp_path / "xrays", {})
    write_mask(folder / "3m.png", np.eye(64, 72, dtype=bool))
    stored = json.loads((segmenter_run / "files.json").read_text())
    run = shutil.copytree(segmenter_run, tmp_path / "run")
    moved = {name.replace(str(xrays), str(folder)): digest for name, digest in stored.items()}
    (run / "files.json").write_text(json.dumps(moved))
    said = cxrnet(*segmenter_words(folder, run, "--resume"))
    refuses(said, "line 5: 3.png or its mask has changed since the run started")


@pytest.mark.parametrize(("content", "words"), [("[1]", "files.json: is damaged"), ("{}", "line 2 and 11 more rows")])
def test_digests_of_files_that_are_damaged_or_lost_are_refused(segmenter_run, xrays, cxrnet, tmp_path, content, words):
    run = shutil.copytree(segmenter_run, tmp_path / "run")
    (run / "files.json").write_text(content)
    refuses(cxrnet(*segmenter_words(xrays, run, "--resume")), words)


def test_images_that_have_moved_are_still_known_at_a_resume(segmenter_run, xrays, cxrnet, tmp_path):
    run, moved = shutil.copytree(segmenter_run, tmp_path / "run"), shutil.copytree(xrays, tmp_path / "moved")
    assert cxrnet(*segmenter_words(moved, run, "--resume")).code == 0
    shutil.copytree(segmenter_run, tmp_path / "again")
    shutil.copy(moved / "1.png", moved / "0.png")
    words = "line 2: 0.png or its mask has changed"
    refuses(cxrnet(*segmenter_words(moved, tmp_path / "again", "--resume")), words)


def test_pack_is_read_in_place_of_the_files(xrays, cxrnet, tmp_path):
    pack = tmp_path / "images.h5"
    cxrnet("data", "pack", xrays / "xrays.csv", "--out", pack, "--height", 64, "--width", 72)
    written = pack.stat().st_mtime_ns
    said = cxrnet(*segmenter_words(xrays, tmp_path / "run", "--pack", pack))
    assert said.code == 0, said.err
    assert pack.stat().st_mtime_ns == written
    assert not (tmp_path / "run" / "images.h5").exists()


def test_ensemble_needs_its_lungs(classifier_run, cxrnet, tmp_path):
    said = cxrnet("ensemble", classifier_run, "--out", tmp_path / "b")
    refuses(said, "--lungs is missing; name the bundle that the classifier was trained with")


def test_ensemble_refuses_another_segmenter(classifier_run, segmenter_bundle, cxrnet, tmp_path):
    said = cxrnet("ensemble", classifier_run, "--out", tmp_path / "b", "--lungs", segmenter_bundle)
    refuses(said, "was trained on the lung masks of small 0.1, not of mine 1.0")


@pytest.fixture(scope="module")
def halves(xrays, run, small_bundle, tmp_path_factory):
    """Folders of two runs that have one fold each, as if trained on two machines."""
    folders = [tmp_path_factory.mktemp("halves") / name for name in ("here", "there")]
    for number, folder in enumerate(folders):
        run(*classifier_words(xrays, folder, small_bundle, "--fold", number))
    return folders


@pytest.fixture(scope="module")
def whole(classifier_run, run, small_bundle, tmp_path_factory):
    """The bundle of a run that has both folds."""
    folder = tmp_path_factory.mktemp("bundles") / "covid"
    run("ensemble", classifier_run, "--out", folder, "--lungs", small_bundle)
    return read_bundle(folder)


def test_folds_of_two_runs_join_into_the_bundle_of_one(halves, whole, small_bundle, cxrnet, tmp_path):
    said = cxrnet("ensemble", *halves[::-1], "--out", tmp_path / "covid", "--lungs", small_bundle)
    assert said.code == 0, said.err
    joined = read_bundle(tmp_path / "covid")
    assert joined.config == whole.config
    assert (joined.folder / "weights.safetensors").read_bytes() == (whole.folder / "weights.safetensors").read_bytes()
    assert joined.facts.training.results == whole.facts.training.results
    assert joined.facts.training.sha256 == whole.facts.training.sha256


def test_ensemble_takes_version_and_description(halves, small_bundle, cxrnet, tmp_path):
    words = ("ensemble", *halves, "--lungs", small_bundle, "--out", tmp_path / "covid")
    said = cxrnet(*words, "--version", "4.1", "--description", "Aligned by the lungs")
    assert said.out.startswith("covid 4.1 (")
    assert read_bundle(tmp_path / "covid").card.startswith("# covid 4.1\n\nAligned by the lungs.")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--name", "a/b"), "name 'a/b': give 1 to 64 lowercase letters, digits and . _ - with --name"),
        (("--version", "4"), "--version '4': give numbers with dots, such as 1.0 or 2.1.3"),
    ],
)
def test_ensemble_names_a_name_that_no_bundle_can_have(halves, small_bundle, cxrnet, tmp_path, words, reason):
    refuses(cxrnet("ensemble", *halves, "--lungs", small_bundle, "--out", tmp_path / "b", *words), reason)


def test_folds_of_two_runs_are_evaluated_as_those_of_one(halves, classifier_run, cxrnet, tmp_path):
    assert cxrnet("evaluate", "folds", classifier_run, "--out", tmp_path / "one", "--resamples", 0).code == 0
    assert cxrnet("evaluate", "folds", *halves, "--out", tmp_path / "two", "--resamples", 0).code == 0
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    assert (one["overall"], one["model"]["sha256"]) == (two["overall"], two["model"]["sha256"])


def test_fold_that_is_in_two_runs_is_refused(halves, classifier_run, small_bundle, cxrnet, tmp_path):
    said = cxrnet("ensemble", classifier_run, halves[1], "--out", tmp_path / "b", "--lungs", small_bundle)
    refuses(said, f"fold 1 is in {classifier_run} and in {halves[1]}; give each fold once")


def test_fold_that_has_ended_in_one_of_two_runs_is_taken_from_there(halves, small_bundle, cxrnet, tmp_path):
    started = shutil.copytree(halves[0], tmp_path / "started")
    shutil.copytree(halves[1] / "fold1", started / "fold1")
    (started / "fold1" / "result.json").unlink()
    said = cxrnet("ensemble", started, halves[1], "--out", tmp_path / "b", "--lungs", small_bundle)
    assert said.code == 0, said.err


def test_fold_that_is_in_no_run_is_refused(halves, small_bundle, cxrnet, tmp_path):
    other = shutil.copytree(halves[0], tmp_path / "other")
    shutil.rmtree(other / "fold0")
    said = cxrnet("ensemble", halves[0], other, "--out", tmp_path / "b", "--lungs", small_bundle)
    refuses(said, f"{halves[0]} and {other}: fold 1 has not ended; train it with --fold 1")


def edited(name, change):
    """Function that changes a JSON file of a run, given as its record."""

    def edit(run):
        record = json.loads((run / name).read_text())
        change(record)
        (run / name).write_text(json.dumps(record))

    return edit


def folds_changed(run):
    text = (run / "folds.csv").read_text().splitlines()
    (run / "folds.csv").write_text("\n".join([text[0], *(row[:-1] + str(1 - int(row[-1])) for row in text[1:])]))


RUNS_AT_ODDS = {
    "settings": (
        edited("training.json", lambda record: record["settings"].update(seed=7, epochs=3)),
        "was trained with other epochs, seed than",
    ),
    "films": (
        edited("training.json", lambda record: record["films"].update(all=11, sha256="0" * 64)),
        "was trained on 11 images, ",
    ),
    "lungs": (
        edited("training.json", lambda record: record["segmenter"].update(name="others", sha256="0" * 64)),
        "was trained on the lung masks of others 0.1, ",
    ),
    "grey values": (
        edited("standardisation.json", lambda record: record.update(mean=1.0)),
        "its images have another mean or deviation than those of",
    ),
    "folds": (folds_changed, "has other images in its folds than"),
    "kind": (
        edited("training.json", lambda record: record.update(kind="segmenter")),
        "is the training of a segmenter, which goes into a bundle alone",
    ),
}


@pytest.mark.parametrize("fault", RUNS_AT_ODDS)
def test_runs_at_odds_do_not_join(halves, small_bundle, cxrnet, tmp_path, fault):
    change, words = RUNS_AT_ODDS[fault]
    other = shutil.copytree(halves[1], tmp_path / "other")
    change(other)
    said = cxrnet("ensemble", halves[0], other, "--out", tmp_path / "b", "--lungs", small_bundle)
    refuses(said, f"{other}: {words}")
    assert not (tmp_path / "b").exists()


def test_bundle_that_is_there_is_not_replaced(segmenter_run, segmenter_bundle, cxrnet):
    said = cxrnet("ensemble", segmenter_run, "--out", segmenter_bundle)
    assert said.code == 2
    assert said.err.count("\n") == 1


@pytest.fixture(scope="module")
def patient_run(xrays, run, small_bundle, tmp_path_factory):
    """A classifier run with `age`, which is missing in two rows, and `sex`; both say nothing of the class."""
    folder = tmp_path_factory.mktemp("patients")
    rows = table(xrays / "xrays.csv")
    for number, row in enumerate(rows):
        row |= {"image": str(xrays / row["image"]), "age": ["", "30", "50"][number % 3], "sex": "FFMM"[number % 4]}
    write_rows(folder / "xrays.csv", rows)
    words = classifier_words(xrays, folder / "run", small_bundle, "--patient-data", "age", "--patient-data", "sex")
    words[3] = folder / "xrays.csv"
    assert run(*words).exit_code == 0
    return folder / "run"


def test_run_with_patient_data_keeps_its_encoding(patient_run, xrays, small_bundle, cxrnet):
    record = json.loads((patient_run / "training.json").read_text())
    assert record["patient"]["columns"] == [
        {"kind": "number", "name": "age", "mean": 40.0, "sd": 10.0},
        {"kind": "category", "name": "sex", "categories": ["F", "M"]},
    ]
    columns = table(patient_run / "fold0" / "out_of_fold.csv")[0].keys()
    assert {"logit_covid", "without_patient_logit_covid"} <= columns
    again = classifier_words(xrays, patient_run, small_bundle, "--resume", "--patient-data", "age")
    again[3] = patient_run.parent / "xrays.csv"
    refuses(cxrnet(*again), "was started with other settings")


def test_ensemble_with_patient_data_screens_by_them(patient_run, small_bundle, xrays, run, tmp_path):
    out = tmp_path / "patients"
    assert run("ensemble", patient_run, "-o", out, "--lungs", small_bundle).exit_code == 0
    bundle = read_bundle(out)
    assert bundle.config.patient_columns == ("age", "sex")
    write_rows(tmp_path / "inputs.csv", [{"image": str(xrays / "0.png"), "age": "44", "sex": "unknown"}])
    assert run("screen", tmp_path / "inputs.csv", "-o", tmp_path / "found", "-b", out).exit_code == 0
    (row,) = table(tmp_path / "found" / "findings.csv")
    assert (row["status"], row["patient"]) == ("scored", "age: csv | sex: missing")
    with Pipeline(bundle) as pipeline:
        finding = pipeline.screen(xrays / "0.png", patient={"age": 44})
    assert float(row["score_covid"]) == pytest.approx(finding.scores["covid"], abs=1e-6)


def test_card_has_the_figures_with_and_without_patient_data(patient_run, small_bundle, run, tmp_path):
    run("ensemble", patient_run, "-o", tmp_path / "b", "--lungs", small_bundle)
    run("evaluate", "folds", patient_run, "-o", tmp_path / "e", "--resamples", 0)
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["without_patient"]["overall"]["n"] == metrics["overall"]["n"] == 12
    assert metrics["without_patient"]["overall"]["brier"] != metrics["overall"]["brier"]
    assert run("weights", "card", tmp_path / "b", "--evaluation", f"folds={tmp_path / 'e'}").exit_code == 0
    card = read_bundle(tmp_path / "b").card
    assert "| metric | with patient data | without |" in card
    assert (
        "Patient data as a third input: age (a number, mean 40, standard deviation 10, or missing); sex (F, M" in card
    )
