"""`cxrnet weights card`: from evaluation results to the card of a bundle."""

import csv
import json
import shutil

import pytest

from cxrnet.model.bundle import read_bundle
from tests.evaluation.material import write_images


@pytest.fixture
def bundle(small_bundle, tmp_path):
    """Folder of a copy of the small bundle."""
    return shutil.copytree(small_bundle, tmp_path / "small")


@pytest.fixture(scope="module")
def measured(small_bundle, tmp_path_factory):
    """Folder of an evaluation of the small bundle on 8 artificial images."""
    from typer.testing import CliRunner

    from cxrnet.cli import app

    folder = tmp_path_factory.mktemp("card")
    images = write_images(folder / "images", count=8)[0]
    words = ["evaluate", "classifier", "-b", small_bundle, "-m", images, "-o", folder / "val", "--resamples", 20]
    assert CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False).exit_code == 0
    return folder / "val"


def changed(measured, folder, **model):
    """Copy an evaluation as if it were of another model."""
    shutil.copytree(measured, folder)
    record = json.loads((folder / "metrics.json").read_text())
    record["model"] |= model
    (folder / "metrics.json").write_text(json.dumps(record))
    return folder


def refuses(said, words):
    assert said.code == 2, said
    assert said.err.count("\n") == 1
    assert words in said.err


def test_card_states_what_was_measured(cxrnet, bundle, measured):
    before = read_bundle(bundle).sha256
    assert cxrnet("weights", "card", bundle, "--evaluation", measured).code == 0
    auc = json.loads((measured / "metrics.json").read_text())["overall"]["roc_auc"]["value"]
    text = cxrnet("weights", "show", bundle).out
    assert f"| ROC AUC | {auc:.3f}" in text
    assert "### val" in text
    assert read_bundle(bundle).sha256 == before


def test_card_follows_a_number_that_changes(cxrnet, bundle, measured, tmp_path):
    folder = shutil.copytree(measured, tmp_path / "val")
    record = json.loads((folder / "metrics.json").read_text())
    record["overall"]["roc_auc"] |= {"value": 0.123, "low": 0.1, "high": 0.2}
    (folder / "metrics.json").write_text(json.dumps(record))
    cxrnet("weights", "card", bundle, "--evaluation", measured)
    assert "0.123" not in cxrnet("weights", "show", bundle).out
    cxrnet("weights", "card", bundle, "--evaluation", folder)
    assert "| ROC AUC | 0.123 [0.100, 0.200] |" in cxrnet("weights", "show", bundle).out


def test_card_keeps_neither_command_nor_folders(cxrnet, bundle, measured):
    cxrnet("weights", "card", bundle, "--evaluation", measured)
    assert str(measured.parent) not in (bundle / "facts.json").read_text()


def test_card_lists_the_worst_image_of_each_group(cxrnet, bundle, measured):
    cxrnet("weights", "card", bundle, "--evaluation", measured)
    (one,) = read_bundle(bundle).facts.evaluations
    with (measured / "per_image.csv").open() as file:
        lowest = min(float(row[f"score_{row['label']}"]) for row in csv.DictReader(file))
    assert one.worst[0].value == lowest
    assert len({case.group for case in one.worst}) == len(one.worst)


def test_hand_written_card_becomes_the_notes(cxrnet, bundle, measured):
    cxrnet("weights", "card", bundle, "--evaluation", measured)
    assert "Made from drawings, for tests." in read_bundle(bundle).card.split("## Notes")[1]


def test_controls_and_comparisons_are_named(cxrnet, bundle, measured, tmp_path):
    other = changed(measured, tmp_path / "other", name="published-v7", sha256="1" * 64)
    words = ("--evaluation", f"held out={measured}", "--control", f"blacked out={other}", "--compare", f"V7={other}")
    assert cxrnet("weights", "card", bundle, *words).code == 0
    known = read_bundle(bundle).facts
    assert [(one.role, one.name) for one in known.evaluations] == [
        ("own", "held out"),
        ("control", "blacked out"),
        ("comparison", "V7"),
    ]


def test_what_is_given_of_a_kind_replaces_that_kind_only(cxrnet, bundle, measured, tmp_path):
    other = changed(measured, tmp_path / "other", sha256="1" * 64)
    cxrnet("weights", "card", bundle, "--evaluation", f"one={measured}", "--compare", f"V7={other}")
    cxrnet("weights", "card", bundle, "--evaluation", f"two={measured}")
    assert [one.name for one in read_bundle(bundle).facts.evaluations] == ["two", "V7"]


def test_evaluation_of_another_model_is_refused_as_ones_own(cxrnet, bundle, measured, tmp_path):
    other = changed(measured, tmp_path / "other", name="else", sha256="1" * 64)
    said = cxrnet("weights", "card", bundle, "--evaluation", other)
    refuses(said, "(11111111), not small 0.1")
    refuses(said, "give it with --control or --compare")
    assert read_bundle(bundle).facts is None


def test_evaluation_of_the_other_module_is_refused(cxrnet, bundle, measured, tmp_path):
    folder = changed(measured, tmp_path / "other")
    record = json.loads((folder / "metrics.json").read_text()) | {"task": "segmenter"}
    (folder / "metrics.json").write_text(json.dumps(record))
    refuses(cxrnet("weights", "card", bundle, "--evaluation", folder), "evaluates a segmenter; small is a classifier")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), ("{", "cannot be read"), ("{}", "not of the form")]
)
def test_folder_without_an_evaluation_is_refused(cxrnet, bundle, tmp_path, content, words):
    folder = tmp_path / "none"
    folder.mkdir()
    if content is not None:
        (folder / "metrics.json").write_text(content)
    refuses(cxrnet("weights", "card", bundle, "--evaluation", folder), words)


def test_evaluation_without_its_table_is_refused(cxrnet, bundle, measured, tmp_path):
    folder = shutil.copytree(measured, tmp_path / "val")
    (folder / "per_image.csv").unlink()
    refuses(cxrnet("weights", "card", bundle, "--evaluation", folder), "per_image.csv: is not there")


def test_two_evaluations_of_one_name_are_refused(cxrnet, bundle, measured):
    said = cxrnet("weights", "card", bundle, "--evaluation", measured, "--control", measured)
    refuses(said, "2 evaluations have the name 'val'")


def test_notes_come_from_a_file(cxrnet, bundle, tmp_path):
    (tmp_path / "notes.md").write_text("Of one winter.\n")
    cxrnet("weights", "card", bundle, "--notes", tmp_path / "notes.md")
    assert read_bundle(bundle).card.endswith("## Notes\n\nOf one winter.\n")


def test_notes_that_cannot_be_read_are_refused(cxrnet, bundle, tmp_path):
    refuses(cxrnet("weights", "card", bundle, "--notes", tmp_path / "nix.md"), "nix.md: cannot be read as text")
