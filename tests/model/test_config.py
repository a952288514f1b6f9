import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cxrnet.model.config import (
    AttentionConfig,
    Branch,
    BundleConfig,
    ClassifierConfig,
    LungMaskConfig,
    PoolingConfig,
    PreparationConfig,
    ScatteringConfig,
    SegmenterConfig,
    Standardisation,
)
from cxrnet.model.patient import Category, Number, PatientConfig

LUNGS_ONLY = {"name": "lungs", "version": "1.0", "description": "", "lungs_include_heart": True}
WHOLE = LUNGS_ONLY | {
    "classifier": ClassifierConfig(),
    "folds": 6,
    "standardisation": Standardisation(mean=124.0, std=76.0),
}

COLUMNS = (Number(name="age", mean=50.0, sd=20.0), Category(name="sex", categories=("F", "M")))

branches = st.lists(
    st.builds(Branch, kernel=st.sampled_from([1, 3, 5, 31]), dilation=st.integers(1, 9)), min_size=1, max_size=4
).map(tuple)
classifiers = st.builds(
    ClassifierConfig,
    classes=st.lists(st.text(min_size=1), min_size=2, max_size=4, unique=True).map(tuple),
    scattering=st.builds(ScatteringConfig, J=st.integers(1, 6), L=st.integers(1, 16), order=st.integers(0, 2)),
    attention=st.none() | st.builds(AttentionConfig, heads=st.integers(1, 8)),
    branches=branches,
    pooling=st.builds(PoolingConfig, regions=st.sampled_from(["lungs", "threshold", "intensity"])),
    patient=st.none() | st.just(PatientConfig(columns=COLUMNS)),
    dropout=st.floats(0, 1, exclude_max=True),
)
configs = st.builds(
    BundleConfig,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
    version=st.sampled_from(["1.0", "12.3.4"]),
    description=st.text(st.characters(exclude_categories=["Cs"])),
    lungs_include_heart=st.booleans(),
    preparation=st.builds(PreparationConfig, height=st.integers(32, 4096)),
    segmenter=st.builds(SegmenterConfig, branches=branches),
    lung_mask=st.builds(LungMaskConfig, levels=st.none() | st.integers(1, 255), window=st.just((6, 225))),
    classifier=classifiers,
    folds=st.integers(1, 64),
    standardisation=st.builds(Standardisation, mean=st.floats(-1e3, 1e3), std=st.floats(0, 1e3, exclude_min=True)),
)


@given(configs)
def test_config_reads_back_from_json_what_it_wrote(config):
    assert BundleConfig.model_validate_json(config.model_dump_json()) == config


def test_config_without_classifier_is_a_lung_model():
    assert BundleConfig(**LUNGS_ONLY).classifier is None


def test_config_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        BundleConfig(**LUNGS_ONLY).name = "other"


def _json(**changes):
    content = json.loads(BundleConfig(**WHOLE).model_dump_json())
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "blue"}, "Extra inputs are not permitted"),
        ({"folds": "6"}, "Input should be a valid integer"),
        ({"folds": 6.5}, "Input should be a valid integer"),
        ({"folds": 65}, "less than or equal to 64"),
        ({"format": 2}, "Input should be 1"),
        ({"lungs_include_heart": 1}, "Input should be a valid boolean"),
        ({"name": "Has Spaces"}, "String should match pattern"),
        ({"name": "../up"}, "String should match pattern"),
        ({"version": "one"}, "String should match pattern"),
        ({"segmenter": {"colour": "blue"}}, "Extra inputs are not permitted"),
        ({"segmenter": {"dropout": 1.0}}, "less than 1"),
        ({"preparation": {"height": 8}}, "greater than or equal to 32"),
        ({"lung_mask": {"levels": 0}}, "greater than or equal to 1"),
        ({"lung_mask": {"window": [6, 225, 1]}}, "Tuple should have at most 2 items"),
        ({"standardisation": {"mean": 124.0, "std": 0.0}}, "greater than 0"),
        ({"classifier": {"blocks": 1}}, "greater than or equal to 2"),
    ],
)
def test_json_of_another_form_is_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        BundleConfig.model_validate_json(_json(**changes))


@pytest.mark.parametrize("kernel", [2, 4, 30])
def test_even_kernel_is_refused(kernel):
    with pytest.raises(ValidationError, match=f"kernel is {kernel}; only odd kernels keep the size of a map"):
        Branch(kernel=kernel, dilation=1)


@pytest.mark.parametrize("classes", [(), ("covid",), ("covid", "covid"), ("covid", "")])
def test_classes_that_are_too_few_or_alike_or_empty_are_refused(classes):
    with pytest.raises(ValidationError, match="at least 2 different names are needed"):
        ClassifierConfig(classes=classes)


def test_segmenter_without_lungs_is_refused():
    with pytest.raises(ValidationError, match="classes are heart, background; one of them must be lungs"):
        SegmenterConfig(classes=("heart", "background"))


def test_patient_data_of_one_column_twice_are_refused():
    with pytest.raises(ValidationError, match=r"patient columns are .*; at least 1 different names are needed"):
        PatientConfig(columns=(COLUMNS[0], COLUMNS[0]))


@pytest.mark.parametrize("missing", [{"classifier": None}, {"folds": 0}, {"standardisation": None}])
def test_incomplete_classifier_is_refused(missing):
    with pytest.raises(ValidationError, match="classifier, folds and standardisation go together; give all three"):
        BundleConfig(**WHOLE | missing)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_json_cannot_hold_is_refused(value):
    with pytest.raises(ValidationError, match="finite number"):
        Standardisation(mean=value, std=1.0)


def test_attention_of_the_presets_has_two_heads_of_64():
    assert ClassifierConfig().attention == AttentionConfig(heads=2, size=64)
