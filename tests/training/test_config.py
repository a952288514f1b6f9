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
    with pytest.raises(UsageError, match=r"none.yaml: is not a readable YAML file \(No such file or directory\)"):
        read_training(SEGMENTER_PRESETS["default"], tmp_path / "none.yaml", {})


def test_phases_follow_each_other():
    config = SegmenterTraining(phases=(Phase(epochs=2), Phase(epochs=1)))
    assert config.epochs == 3
    assert [config.phases.index(config.phase_at(epoch)) for epoch in range(5)] == [0, 0, 1, 1, 1]


NINES = [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdef", "bcdefg", strict=True)]
LAUGHS = "\n".join(["a: &a [x, x, x]", *NINES])
SETTINGS_AT_FAULT = {
    "epoch: 1": "epoch is not a field; fields are segmenter, preparation, loss",
    "patient: {}": "patient is not a field (did you mean patience?)",
    "learning-rate: 1": "learning-rate is not a field (did you mean optimiser.learning_rate?)",
    "optimiser: {Lerning_rate: 1}": "optimiser.Lerning_rate is not a field (did you mean learning_rate?); fields",
    "phases: [{epochs: 1, bach: 3}]": "phases.0.bach is not a field (did you mean batch?); fields",
    "phases: []": "phases is []: Tuple should have at least 1 item",
    "phases: [{epochs: 0}]": "phases.0.epochs is 0: Input should be greater than or equal to 1",
    "phases: [{epochs: 5.5}]": "phases.0.epochs is 5.5: Input should be a valid integer",
    "phases: [{epochs: 1, crop: [0, 5]}]": "phases.0.crop.0 is 0: Input should be greater than or equal to 32",
    "augmentation: wild": "augmentation wild is not known; choose from none, paper, plausible",
    "optimiser: {schedule: often}": """optimiser.schedule is "often": Input should be 'constant' or 'one-cycle'""",
    "optimiser: {amsgrad: yes}": 'optimiser.amsgrad is "yes": Input should be a valid boolean; write true or false',
    "optimiser: {learning_rate: '1e-3'}": 'optimiser.learning_rate is "1e-3": Input should be a valid number',
    "seed: 2020-13-01": 'seed is "2020-13-01": Input should be a valid integer',
    "seed: .nan": "seed is NaN: ",
    "optimiser: {learning_rate: 1e300}": "optimiser.learning_rate is 1e+300: Input should be less than or equal to",
    "phases: [{epochs: 10000000000}]": "phases.0.epochs is 10000000000: Input should be less than or equal to 100000",
    "phases: [{epochs: 1, batch: 1000000}]": "phases.0.batch is 1000000: Input should be less than or equal to 4096",
    "segmenter: {filters: 100000}": "segmenter.filters is 100000: Input should be less than or equal to 1024",
    "segmenter: {blocks: 100000}": "segmenter.blocks is 100000: Input should be less than or equal to 64",
    "segmenter: {branches: []}": "segmenter.branches is []: Tuple should have at least 1 item",
    "segmenter: {branches: [{kernel: 3, dilation: 1000000}]}": "dilation is 1000000: Input should be less than or",
    f"segmenter: {{classes: [background, lungs{', x' * 300}]}}": "classes are 302; at most 256 are supported",
    "seed: 18446744073709551616": "seed is 18446744073709551616: Input should be less than",
    "- 1": "holds list; give fields and values",
    "0": "holds int; give fields and values",
    "[]": "holds list; give fields and values",
    "a: b: c": "settings.yaml: line 1: is not readable YAML (mapping values are not allowed here)",
    "optimiser:\n\tname: adam": "line 2: is not readable YAML (character '\\t' that cannot start any token); use",
    "seed: 1\n---\nseed: 2": "line 2: is not readable YAML (but found another document)",
    "seed: !!python/object:a.b {}": "line 1: is not readable YAML (could not determine a constructor for the tag",
    "seed: !!binary aGVsbG8=": "line 1: is not readable YAML (could not determine a constructor for the tag",
    "seed: !!int abc": "is not readable YAML (invalid literal for int() with base 10: 'abc')",
    "optimiser: &o {name: *o}": "is not readable YAML (Circular reference detected)",
    f"seed: {'9' * 5000}": "is not readable YAML (Exceeds the limit",
    LAUGHS: "its aliases make too many values",
    "#" * 1_000_001: "is larger than 1 MB",
    "segmenter: {classes: [lungs, heart, rest]}": "of more than two the first must be background",
    "segmenter: {classes: [background, lungs, left ventricle]}": "mirrored images need right ventricle as well",
    "segmenter: {classes: [1, 0]}": "segmenter.classes.0 is 1: Input should be a valid string; quote it",
    "segmenter: {classes: [null, a]}": "segmenter.classes.0 is null: Input should be a valid string; quote it",
    "seed: 1\nloss: dice\nseed: 2": 'line 3: is not readable YAML (duplicate key "seed"); give each field once',
    "optimiser: {schedule: constant, schedule: one-cycle}": 'line 1: is not readable YAML (duplicate key "schedule")',
    "optimiser:\n  <<: {name: adam}\n  <<: {name: adamw}": 'line 3: is not readable YAML (duplicate merge key "<<")',
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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_names_are_read_in_one_form_of_unicode_and_dates_as_words(tmp_path, encoding):
    (tmp_path / "settings.yaml").write_text("classifier: {classes: [2020-01-01, e\u0301]}", encoding=encoding)
    settings = read_training(CLASSIFIER_PRESETS["default"], tmp_path / "settings.yaml", {})
    assert settings.classifier.classes == ("2020-01-01", "\u00e9")


def test_patient_columns_are_named_once():
    with pytest.raises(UsageError, match="columns are age=number, age; name each once"):
        read_training(CLASSIFIER_PRESETS["default"], None, {"patient": {"columns": ["age=number", "age"]}})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("draws: 1000000000", "draws is 1000000000: Input should be less than or equal to 10000000"),
        ("variants: 1000000", "variants is 1000000: Input should be less than or equal to 1000"),
        ("batch: 1000000", "batch is 1000000: Input should be less than or equal to 4096"),
        ("epochs: 1000000000", "epochs is 1000000000: Input should be less than or equal to 100000"),
        ("patience: 1000000000", "patience is 1000000000: Input should be less than or equal to 100000"),
        ("classifier: {filters: 100000}", "classifier.filters is 100000: Input should be less than or equal to 1024"),
        (
            "classifier: {attention: {heads: 100000}}",
            "heads is 100000: Input should be less than or equal to 64",
        ),
        (
            "patient: {columns: [age], hidden: 10000000}",
            "hidden is 10000000: Input should be less than or equal",
        ),
    ],
)
def test_settings_beyond_any_memory_are_refused(tmp_path, content, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        configured(tmp_path, content, CLASSIFIER_PRESETS["default"])
