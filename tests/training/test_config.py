from __future__ import annotations

import re

import pytest

from cxrnet.data.augment import AUGMENTATIONS
from cxrnet.errors import UsageError
from cxrnet.training.config import CLASSIFIER_PRESETS, SEGMENTER_PRESETS, Phase, SegmenterTraining, read_training


def configured(tmp_path, text, preset=SEGMENTER_PRESETS["paper-jms"], **changes):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return read_training(preset, path, changes)


@pytest.mark.parametrize("preset", [*SEGMENTER_PRESETS.values(), *CLASSIFIER_PRESETS.values()])
def test_preset_without_changes_is_itself(preset):
    assert read_training(preset, None, {"seed": None}) == preset


def test_field_inside_a_record_leaves_the_rest_of_the_preset(tmp_path):
    changed = configured(tmp_path, "optimiser: {learning_rate: 0.5}")
    assert (changed.optimiser.name, changed.optimiser.schedule) == ("adam", "constant")
    assert changed.optimiser.learning_rate == 0.5


def test_list_replaces_that_of_the_preset(tmp_path):
    assert configured(tmp_path, "phases: [{epochs: 3, crop: [32, 40]}]").phases == (Phase(epochs=3, crop=(32, 40)),)


def test_augmentation_may_be_a_name_or_fields(tmp_path):
    assert configured(tmp_path, "augmentation: plausible").augmentation == AUGMENTATIONS["plausible"]
    assert configured(tmp_path, "augmentation: {shift: 0.2}").augmentation.rotation_degrees == 90


def test_option_goes_before_the_file_and_the_file_before_the_preset(tmp_path):
    assert configured(tmp_path, "seed: 3").seed == 3
    assert configured(tmp_path, "seed: 3", seed=4).seed == 4


def test_empty_file_changes_nothing(tmp_path):
    assert configured(tmp_path, "# nothing\n") == SEGMENTER_PRESETS["paper-jms"]


def test_fitted_patient_data_are_refused(tmp_path):
    column = "{kind: number, name: age, mean: 1.0, sd: 1.0}"
    with pytest.raises(
        UsageError, match=r"classifier.patient is set; it is fitted in training, name the columns in pat"
    ):
        configured(tmp_path, f"classifier: {{patient: {{columns: [{column}]}}}}", CLASSIFIER_PRESETS["paper"])


@pytest.mark.parametrize("columns", ["[age, sex=category]", "{age: auto, sex: category}"])
def test_patient_columns_are_a_list_or_a_record(tmp_path, columns):
    config = configured(tmp_path, f"patient: {{columns: {columns}, hide: 0.5}}", CLASSIFIER_PRESETS["default"])
    assert config.patient.columns == {"age": "auto", "sex": "category"}
    assert (config.patient.hidden, config.patient.hide) == (8, 0.5)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="is not a readable YAML file \\(FileNotFoundError\\)"):
        read_training(SEGMENTER_PRESETS["default"], tmp_path / "none.yaml", {})


def test_phases_follow_each_other():
    config = SegmenterTraining(phases=(Phase(epochs=2), Phase(epochs=1)))
    assert config.epochs == 3
    assert [config.phases.index(config.phase_at(epoch)) for epoch in range(5)] == [0, 0, 1, 1, 1]


SETTINGS_AT_FAULT = {
    "learning_rate: 1": "learning_rate: Extra inputs are not permitted; fields are segmenter, preparation",
    "phases: []": "phases: Tuple should have at least 1 item",
    "phases: [{epochs: 0}]": "phases.0.epochs: Input should be greater than or equal to 1",
    "phases: [{epochs: 1, crop: [0, 5]}]": "phases.0.crop.0: Input should be greater than or equal to 1",
    "augmentation: wild": "augmentation wild is not known; choose from none, paper, plausible",
    "optimiser: {schedule: often}": "optimiser.schedule: Input should be 'constant' or 'one-cycle'",
    "seed: 2020-01-01": "not JSON serializable",
    "seed: .nan": "seed: ",
    "- 1": "holds list; give fields and values",
    "a: b: c": "is not a readable YAML file (ScannerError)",
    "segmenter: {classes: [lungs, heart, rest]}": "of more than two the first must be background",
    "segmenter: {classes: [background, lungs, left ventricle]}": "mirrored images need right ventricle as well",
    "segmenter: {classes: [1, 0]}": "segmenter.classes.0: Input should be a valid string; quote it: '1'",
    "seed: 1\nloss: dice\nseed: 2": 'line 3: duplicate key "seed"',
    "optimiser: {schedule: constant, schedule: one-cycle}": 'line 1: duplicate key "schedule"',
}


@pytest.mark.parametrize("content", SETTINGS_AT_FAULT)
def test_settings_at_fault_are_refused(tmp_path, content):
    with pytest.raises(UsageError, match=re.escape(SETTINGS_AT_FAULT[content])):
        configured(tmp_path, content)


@pytest.mark.parametrize(("text", "rate"), [("1e-3", 0.001), ("1E2", 100.0)])
def test_exponents_are_numbers_and_yes_is_a_word(tmp_path, text, rate):
    content = f"optimiser: {{learning_rate: {text}}}\nclassifier: {{classes: [yes, no]}}"
    settings = configured(tmp_path, content, CLASSIFIER_PRESETS["default"])
    assert settings.optimiser.learning_rate == rate
    assert settings.classifier.classes == ("yes", "no")
