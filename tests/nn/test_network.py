import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.model.config import (
    BundleConfig,
    ClassifierConfig,
    LungMaskConfig,
    PreparationConfig,
    SegmenterConfig,
    Standardisation,
)
from cxrnet.nn.network import Network, NetworkOutput, area_weights, classifier_input, lung_mask
from tests.material import SMALL, draw_xray, randomised


@pytest.fixture(scope="module")
def output(small_network):
    image = torch.stack([torch.from_numpy(draw_xray(seed)[0]) for seed in (20, 21)])
    with torch.inference_mode():
        return small_network(image)


def _mask(probability, image, **config):
    return lung_mask(torch.tensor([[probability]]), torch.tensor([[image]]), LungMaskConfig(**config)).item()


def test_mask_is_the_probability_when_nothing_is_asked():
    assert _mask(0.123456, 250.0) == pytest.approx(0.123456, abs=1e-7)


@given(st.floats(0, 1, width=32), st.integers(1, 255))
def test_mask_is_rounded_to_levels(probability, levels):
    mask = _mask(probability, 100.0, levels=levels)
    assert mask * levels == pytest.approx(round(mask * levels), abs=1e-4)
    assert abs(mask - probability) <= 0.5 / levels + 1e-6


def test_mask_is_rounded_half_to_even():
    assert _mask(0.25, 100.0, levels=2) == 0
    assert _mask(0.75, 100.0, levels=2) == 1


@pytest.mark.parametrize(("grey", "kept"), [(5, 0), (6, 1), (225, 1), (226, 0)])
def test_mask_keeps_the_window_with_its_ends(grey, kept):
    assert _mask(1.0, float(grey), window=(6, 225)) == kept


def test_network_says_every_stage_in_its_shape(output):
    assert {name: tuple(tensor.shape) for name, tensor in output._asdict().items()} == {
        "lung_probability": (2, 64, 72),
        "lung_mask": (2, 64, 72),
        "scattering": (2, 49, 16, 18),
        "fold_maps": (2, 2, 2, 16, 18),
        "fold_scores": (2, 2, 2),
        "class_maps": (2, 2, 16, 18),
        "logits": (2, 2),
        "scores": (2, 2),
    }


def test_scores_are_the_softmax_of_the_logits(output):
    torch.testing.assert_close(output.scores, output.logits.softmax(dim=1))


def test_logits_are_the_mean_of_the_class_maps(output):
    torch.testing.assert_close(output.logits, output.class_maps.mean(dim=(2, 3)))


def test_each_xray_of_a_batch_is_scored_alone(small_network, output):
    with torch.inference_mode():
        alone = small_network(torch.from_numpy(draw_xray(21)[0])[None])
    for name in NetworkOutput._fields:
        torch.testing.assert_close(getattr(output, name)[1:], getattr(alone, name), rtol=1e-4, atol=1e-5)


def test_maps_and_coefficients_agree_in_size_when_the_xray_is_no_multiple_of_4():
    config = SMALL.model_copy(update={"preparation": PreparationConfig(height=61, width=83)})
    with torch.inference_mode():
        output = randomised(Network(config))(torch.zeros(1, 61, 83, dtype=torch.uint8))
    assert output.class_maps.shape[-2:] == output.scattering.shape[-2:] == (15, 20)


def test_mirror_average_scores_an_image_and_its_mirror_image_alike(small_network):
    classifier = SMALL.classifier.model_copy(update={"mirror_average": True})
    network = Network(SMALL.model_copy(update={"classifier": classifier})).eval()
    network.load_state_dict(small_network.state_dict())
    image, mask = (torch.from_numpy(one)[None].float() for one in draw_xray(20))
    with torch.inference_mode():
        one, other = (network.classify(image.flip(axes), mask.flip(axes))[1] for axes in ([], [-1]))
        alone = [small_network.classify(image.flip(axes), mask.flip(axes))[1].logits for axes in ([], [-1])]
    torch.testing.assert_close(one.scores, other.scores)
    torch.testing.assert_close(one.fold_maps, other.fold_maps.flip(-1))
    torch.testing.assert_close(one.logits, (alone[0] + alone[1]) / 2)
    assert not torch.allclose(*alone)


def test_network_without_classifier_refuses_to_classify():
    config = BundleConfig(
        name="lungs-only", version="1.0", description="", lungs_include_heart=True, segmenter=SegmenterConfig()
    )
    with pytest.raises(ValueError, match="lungs-only: has no classifier"):
        Network(config).classify(torch.zeros(1, 64, 64), torch.zeros(1, 64, 64))


@pytest.mark.parametrize("grey", [0.0, 124.0])
def test_constant_xray_has_a_finite_gradient(small_network, grey):
    image = torch.full((1, 64, 72), grey, requires_grad=True)
    small_network.classify(image, torch.ones(1, 64, 72))[1].scores[0, 0].backward()
    assert image.grad.isfinite().all()


def test_area_weights_average_equal_parts():
    np.testing.assert_allclose(area_weights(6, 3), np.kron(np.eye(3), [0.5, 0.5]))
    np.testing.assert_allclose(area_weights(300, 152).sum(axis=1), 1)
    np.testing.assert_allclose(area_weights(300, 152).sum(axis=0), 152 / 300)


def test_halved_input_gives_maps_of_half_the_size():
    config = ClassifierConfig(input_stride=2)
    image = torch.rand(1, 300, 340) * 255
    grey = Standardisation(mean=127.0, std=74.0)
    given = classifier_input(image, image / 255, config, grey)
    assert given.image.shape == (1, 152, 172)
    assert given.lungs.shape == given.greys.shape == (1, 38, 43)
    torch.testing.assert_close(given.greys.mean(), image.mean() / 255)
    torch.testing.assert_close(given.greys, given.lungs)
