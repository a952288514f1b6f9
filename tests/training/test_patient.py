from pathlib import Path

import numpy as np
import pytest
import torch

from cxrnet.data.manifest import Manifest
from cxrnet.errors import UsageError
from cxrnet.model.patient import Category, Number
from cxrnet.training.config import PatientTraining
from cxrnet.training.patient import PatientInputs, encode_samples, find_shortcuts, fit_patient
from tests.data.conftest import sample
from tests.training.conftest import TINY_FOLD, fold_module


def rows(**columns):
    """A manifest with these columns, labels taking turns."""
    names = ("covid", "non-covid")
    cells = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    samples = tuple(
        sample(number, line=number + 2, label=names[number % 2], source=values.get("source", ""), values=values)
        for number, values in enumerate(cells)
    )
    return Manifest(Path("xrays.csv"), tuple(columns), samples)


def fitted(manifest, *columns, **more):
    config = PatientTraining(columns=dict.fromkeys(columns, "auto"), **more)
    return fit_patient(manifest, manifest.samples, config)


def test_numbers_are_standardised_over_the_rows_that_have_one():
    config = fitted(rows(age=["20", "", "60", "n/a"], sex=["M", "f", "F", ""]), "age", "sex", hidden=3)
    assert config.columns == (Number(name="age", mean=40.0, sd=20.0), Category(name="sex", categories=("f", "M")))
    assert config.hidden == 3
    manifest = rows(age=["60", ""], sex=["F", "m"])
    np.testing.assert_array_equal(encode_samples(manifest.samples, config), [[1, 0, 1, 0, 0], [0, 1, 0, 1, 0]])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"sex": ["M"] * 3}, "age: xrays.csv has sex only"),
        ({"age": ["", "unknown", ""]}, "age: has no value in any row, so it gives no information"),
        ({"age": ["5", "5", ""]}, "age: has one value in all rows, so it gives no information"),
        ({"age": ["5", "6", "7", "45Y"]}, "age: line 5 of the manifest has no number; correct it"),
        ({"age": [f"about {number}" for number in range(40)]}, "age: has 40 different values that are no numbers"),
        ({"age": ["1", "1.0"]}, "age: has one number in all rows, or far too large ones"),
        ({"age": ["5", "6"] * 300 + ["999"]}, "age: line 602 of the manifest is more than 20 standard deviations"),
        ({"age": ["0", "1"] * 10}, "age: gives the class of every image; leave it out"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(cells, words):
    with pytest.raises(UsageError, match=words):
        fitted(rows(**cells), "age")


def test_columns_that_give_class_or_source_away_are_named():
    views = ["AP", "PA"] * 10 + ["AP", "AP", "PA", "PA"] * 3
    ages = ["3", "5"] * 10 + [""] * 12
    manifest = rows(view=views, age=ages, source=["a"] * 20 + ["b"] * 12)
    config = fitted(manifest, "view", "age")
    assert list(find_shortcuts(manifest.samples, config)) == [
        "patient column age alone gives the class of 62% of the images; it is a shortcut there",
        "patient column age is filled in for a only; whether it is missing gives the source away",
    ]


def inputs(hide):
    manifest = rows(age=[str(age) for age in range(10)], sex=["F", "M", "M", "F", ""] * 2)
    config = fitted(manifest, "age", "sex")
    return PatientInputs(config=config, values=encode_samples(manifest.samples, config), hide=hide, seed=0)


def test_values_are_hidden_as_often_as_asked_and_the_same_at_each_call():
    data = inputs(0.25)
    shown = np.stack([data.shown(epoch, 3) for epoch in range(2000)])
    np.testing.assert_array_equal(shown[7], data.shown(7, 3))
    assert set(map(tuple, shown.tolist())) == {
        tuple(np.where(hidden, data.missing, data.values[3]).tolist())
        for hidden in ([0] * 5, [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1] * 5)
    }
    assert shown[:, 1].mean() == pytest.approx(1 - 0.75**2, abs=0.03)
    assert (shown[:, 1] * shown[:, 4]).mean() == pytest.approx(0.25 + 0.75 * 0.25**2, abs=0.03)
    np.testing.assert_array_equal(inputs(0.0).shown(0, 3), data.values[3])


def test_held_out_logits_without_patient_data_are_those_of_missing_values():
    data = inputs(0.2)
    module = fold_module(TINY_FOLD, patient=data)
    hidden = PatientInputs(config=data.config, values=np.tile(data.missing, (10, 1)), hide=0.2, seed=0)
    other = fold_module(TINY_FOLD, patient=hidden)
    np.testing.assert_array_equal(module.held_out_logits(hides_patient=True), other.held_out_logits())
    assert np.abs(module.held_out_logits() - other.held_out_logits()).max() > 0.01


def test_copies_of_an_image_share_its_patient_data():
    module = fold_module(TINY_FOLD.model_copy(update={"consistency": 1.0}), patient=inputs(0.5)).eval()
    (features, patient), _ = module._train[(3, 2)]
    with torch.inference_mode():
        both = module((features[None], patient[None]))
        alone = [module((features[None, copy : copy + 1], patient[None])) for copy in range(2)]
    torch.testing.assert_close(both, torch.cat(alone, dim=1))
