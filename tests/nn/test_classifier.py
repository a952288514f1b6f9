import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrnet.model.config import ClassifierConfig, PoolingConfig
from cxrnet.model.patient import Number, PatientConfig
from cxrnet.nn.classifier import Ensemble, Fold
from tests.material import randomised

AGE = PatientConfig(columns=(Number(name="age", mean=50.0, sd=20.0),))

OPTIONS = (
    {},
    {"attention": None},
    {"classes": ("covid", "other pneumonia", "clear")},
    {"logarithm": True, "lungs_only": True},
    {"pooling": PoolingConfig(regions="intensity")},
    {"pooling": PoolingConfig(regions="threshold", intensity_threshold=0.4)},
    {"pooling": PoolingConfig(average="lungs")},
    {"patient": AGE},
)


def _fold(*, seed=0, **changes):
    return randomised(Fold(ClassifierConfig(**{"filters": 3, "blocks": 2, **changes})), seed=seed)


def _inputs(*, seed=0, batch=2):
    """Coefficients, mask, image and patient data of random radiographs."""
    chance = torch.Generator().manual_seed(seed)
    shapes = {"scattering": (49, 6, 7), "mask": (6, 7), "image": (6, 7), "patient": (2,)}
    return {name: torch.rand(batch, *shape, generator=chance) for name, shape in shapes.items()}


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_class_maps_are_zero_outside_the_lungs(seed):
    inputs = _inputs(seed=seed)
    maps = _fold(seed=seed)(**inputs).maps
    outside = (inputs["mask"] <= 0.3)[:, None].expand_as(maps)
    assert not maps[outside].any()
    assert maps[~outside].any()


def test_position_at_the_mask_threshold_is_outside_the_lungs():
    inputs = _inputs() | {"mask": torch.full((2, 6, 7), 0.3)}
    assert not _fold()(**inputs).maps.any()


def test_logits_are_the_mean_over_all_positions_not_only_those_in_the_lungs():
    output = _fold()(**_inputs())
    torch.testing.assert_close(output.logits, output.maps.flatten(2).sum(dim=2) / 42)


def test_average_over_the_lungs_does_not_depend_on_their_size():
    inputs = _inputs()
    output, plain = _fold(pooling=PoolingConfig(average="lungs"))(**inputs), _fold()(**inputs)
    torch.testing.assert_close(output.maps, plain.maps)
    lungs = (inputs["mask"] > 0.3).float().mean(dim=(1, 2))
    torch.testing.assert_close(output.logits, plain.logits / lungs[:, None])


def test_average_over_no_lungs_is_zero():
    inputs = _inputs() | {"mask": torch.zeros(2, 6, 7)}
    assert not _fold(pooling=PoolingConfig(average="lungs"))(**inputs).logits.any()


def test_average_over_regions_by_intensity_weighs_by_it():
    inputs = _inputs()
    output = _fold(pooling=PoolingConfig(average="lungs", regions="intensity"))(**inputs)
    weights = (inputs["mask"] > 0.3) * inputs["image"]
    torch.testing.assert_close(output.logits, output.maps.sum(dim=(2, 3)) / weights.sum(dim=(1, 2))[:, None])


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_scores_sum_to_one_for_any_number_of_classes(classes):
    names = tuple(f"class {number}" for number in range(classes))
    output = Ensemble([_fold(classes=names), _fold(classes=names, seed=1)])(**_inputs())
    assert output.scores.shape == (2, classes)
    torch.testing.assert_close(output.scores.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(output.fold_scores.sum(dim=2), torch.ones(2, 2))


def test_ensemble_of_one_fold_is_the_fold():
    fold, inputs = _fold(), _inputs()
    alone, output = fold(**inputs), Ensemble([fold])(**inputs)
    torch.testing.assert_close(output.maps, alone.maps)
    torch.testing.assert_close(output.scores, alone.logits.softmax(dim=1))
    torch.testing.assert_close(output.scores, output.fold_scores[:, 0])


def test_ensemble_maps_are_the_mean_of_the_maps_of_its_folds():
    folds, inputs = [_fold(seed=seed) for seed in range(3)], _inputs()
    mean = torch.stack([fold(**inputs).maps for fold in folds]).mean(dim=0)
    torch.testing.assert_close(Ensemble(folds)(**inputs).maps, mean)


def test_coefficients_outside_the_lungs_do_not_matter_where_they_are_left_out():
    inputs, fold = _inputs(), _fold(lungs_only=True, attention=None)
    is_lung = (inputs["mask"] > 0.3)[:, None]
    other = inputs | {"scattering": torch.where(is_lung, inputs["scattering"], 5.0)}
    torch.testing.assert_close(fold(**other).maps, fold(**inputs).maps)
    plain = _fold(attention=None)
    assert not torch.allclose(plain(**other).maps, plain(**inputs).maps)


def test_logarithm_is_taken_of_all_orders_but_the_first():
    inputs = _inputs()
    taken = inputs | {"scattering": torch.log1p(100 * inputs["scattering"])}
    taken["scattering"][:, 0] = inputs["scattering"][:, 0]
    torch.testing.assert_close(_fold(logarithm=True)(**inputs).maps, _fold()(**taken).maps)


def test_pooling_by_threshold_leaves_out_dark_regions():
    inputs = _inputs()
    pooling = PoolingConfig(regions="threshold", intensity_threshold=0.5)
    bright = (inputs["image"] > 0.5).float()[:, None]
    torch.testing.assert_close(_fold(pooling=pooling)(**inputs).maps, _fold()(**inputs).maps * bright)


def test_pooling_by_intensity_multiplies_maps_by_the_image():
    inputs = _inputs()
    pooling = PoolingConfig(regions="intensity")
    expected = _fold()(**inputs).maps * inputs["image"][:, None]
    torch.testing.assert_close(_fold(pooling=pooling)(**inputs).maps, expected)


@pytest.mark.parametrize("regions", ["threshold", "intensity"])
def test_pooling_by_the_image_needs_it(regions):
    inputs = _inputs() | {"image": None}
    with pytest.raises(ValueError, match=f"image is missing; pooling over regions by {regions} needs it"):
        _fold(pooling=PoolingConfig(regions=regions))(**inputs)


def test_patient_data_shifts_the_logits_and_leaves_the_maps():
    inputs = _inputs()
    fold = _fold(patient=AGE)
    output = fold(**inputs)
    expected = output.maps.mean(dim=(2, 3)) + fold.patient(inputs["patient"])
    torch.testing.assert_close(output.logits, expected)
    assert not torch.allclose(output.logits, fold(**inputs | {"patient": torch.zeros(2, 2)}).logits)


def test_patient_data_is_needed_when_the_config_names_it():
    fold = _fold(patient=AGE)
    with pytest.raises(ValueError, match="patient data is missing; give age"):
        fold(**_inputs() | {"patient": None})


def test_patient_data_shifts_the_scores_of_an_ensemble():
    ensemble = Ensemble([_fold(patient=AGE), _fold(patient=AGE, seed=1)])
    inputs = _inputs()
    output = ensemble(**inputs)
    shift = torch.stack([fold.patient(inputs["patient"]) for fold in ensemble.folds]).mean(dim=0)
    torch.testing.assert_close(output.logits, output.maps.mean(dim=(2, 3)) + shift)


def test_fold_without_attention_has_one_channel_less():
    assert _fold().norm.num_features == 51
    assert _fold(attention=None).norm.num_features == 50


@pytest.mark.parametrize("changes", OPTIONS)
def test_every_option_passes_finite_gradients_to_every_weight(changes):
    fold, inputs = _fold(**changes).train(), _inputs()
    inputs["scattering"].requires_grad_()
    fold(**inputs).logits.softmax(dim=1)[:, 0].sum().backward()
    gradients = [inputs["scattering"].grad, *(parameter.grad for parameter in fold.parameters())]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_xray_without_lungs_or_all_lungs_has_finite_scores(share):
    output = Ensemble([_fold()])(**_inputs() | {"mask": torch.full((2, 6, 7), share)})
    assert output.scores.isfinite().all()


def test_xray_without_lungs_scores_the_same_for_every_class():
    output = Ensemble([_fold()])(**_inputs() | {"mask": torch.zeros(2, 6, 7)})
    torch.testing.assert_close(output.scores, torch.full((2, 2), 0.5))


def test_gradient_of_a_score_by_the_maps_is_the_closed_form_of_grad_cam():
    maps = torch.randn(1, 3, 4, 5, requires_grad=True)
    scores = maps.mean(dim=(2, 3)).softmax(dim=1)[0]
    for number, score in enumerate(scores):
        (gradient,) = torch.autograd.grad(score, maps, retain_graph=True)
        is_class = torch.eye(3)[number]
        closed = score * (is_class - scores) / 20
        torch.testing.assert_close(gradient, closed[None, :, None, None].expand(1, 3, 4, 5))
