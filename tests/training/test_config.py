from __future__ import annotations

import pytest

from cxrnet.data.augment import AUGMENTATIONS
from cxrnet.errors import UsageError
from cxrnet.training.config import CLASSIFIER_PRESETS, SEGMENTER_PRESETS, Phase, SegmenterTraining, read_training


def told(tmp_path, text, preset=SEGMENTER_PRESETS["paper-jms"], **changes):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return read_training(preset, path, changes)


@pytest.mark.parametrize("preset", [*SEGMENTER_PRESETS.values(), *CLASSIFIER_PRESETS.values()])
def test_preset_without_changes_is_itself(preset):
    assert read_training(preset, None, {"seed": None}) == preset


def test_field_inside_a_record_leaves_the_rest_of_the_preset(tmp_path):
    changed = told(tmp_path, "optimiser: {learning_rate: 0.5}")
    assert (changed.optimiser.name, changed.optimiser.schedule) == ("adam", "constant")
    assert changed.optimiser.learning_rate == 0.5


def test_list_replaces_that_of_the_preset(tmp_path):
    assert told(tmp_path, "phases: [{epochs: 3, crop: [32, 40]}]").phases == (Phase(epochs=3, crop=(32, 40)),)


def test_augmentation_may_be_a_name_or_fields(tmp_path):
    assert told(tmp_path, "augmentation: plausible").augmentation == AUGMENTATIONS["plausible"]
    assert told(tmp_path, "augmentation: {shift: 0.2}").augmentation.rotation_degrees == 90


def test_option_goes_before_the_file_and_the_file_before_the_preset(tmp_path):
    assert told(tmp_path, "seed: 3").seed == 3
    assert told(tmp_path, "seed: 3", seed=4).seed == 4


def test_empty_file_changes_nothing(tmp_path):
    assert told(tmp_path, "# nothing\n") == SEGMENTER_PRESETS["paper-jms"]


def test_patient_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="training from a manifest does not read patient data"):
        told(tmp_path, "classifier: {patient: {features: [age]}}", CLASSIFIER_PRESETS["paper"])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="is not a readable YAML file \\(FileNotFoundError\\)"):
        read_training(SEGMENTER_PRESETS["default"], tmp_path / "none.yaml", {})


def test_phases_follow_each_other():
    config = SegmenterTraining(phases=(Phase(epochs=2), Phase(epochs=1)))
    assert config.epochs == 3
    assert [config.phases.index(config.phase_at(epoch)) for epoch in range(5)] == [0, 0, 1, 1, 1]
