import pytest
import torch

from cxrnet.export.fused_ensemble import FoldAttention, FusedEnsemble
from cxrnet.model.config import AttentionConfig, ClassifierConfig, PoolingConfig
from cxrnet.nn.attention import MultiHeadAttention
from cxrnet.nn.classifier import Ensemble, Fold
from tests.material import randomised


def _close(have, want):
    torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("axis", "turned"), [(-1, False), (-2, True)])
@torch.inference_mode()
def test_attention_of_all_folds_is_that_of_each(axis, turned):
    layers = [randomised(MultiHeadAttention(AttentionConfig()), seed=seed) for seed in range(3)]
    query, value = torch.randn(2, 6, 8), torch.rand(2, 6, 8)
    key = (value > 0.3).float()
    key[0, 0], key[0, 1] = 0, 1  # rows that have keys of one kind only
    got = FoldAttention(layers, axis=axis)(query[:, None], key[:, None], value[:, None])
    for index, layer in enumerate(layers):
        maps = [one.mT if turned else one for one in (query, key, value)]
        expected = layer(*maps)
        _close(got[:, index], expected.mT if turned else expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filters": 16},
        {"blocks": 3},
        {"attention": None},
        {"attention": AttentionConfig(heads=3, size=4)},
        {"classes": ("covid", "other pneumonia", "clear")},
        {"logarithm": True, "floor": 0.1},
        {"lungs_only": True},
        {"logarithm": True, "lungs_only": True},
        {"pooling": PoolingConfig(regions="intensity")},
        {"pooling": PoolingConfig(regions="threshold", intensity_threshold=0.4)},
        {"pooling": PoolingConfig(average="lungs")},
        {"pooling": PoolingConfig(average="lungs", regions="intensity")},
    ],
)
@pytest.mark.parametrize("count", [1, 3])
@torch.inference_mode()
def test_fused_ensemble_says_what_the_ensemble_says(options, count):
    config = ClassifierConfig(**{"filters": 5, "blocks": 2, **options})
    ensemble = Ensemble([randomised(Fold(config), seed=seed) for seed in range(count)]).eval()
    scattering, mask = torch.randn(2, config.scattering.channels, 12, 14).abs(), torch.rand(2, 12, 14)
    image = torch.rand(2, 12, 14)
    expected = ensemble(scattering, mask, image=image)
    got = FusedEnsemble(ensemble)(scattering, mask, image=image)
    assert expected.fold_maps.any()
    for have, want in zip(got, expected, strict=True):
        _close(have, want)
