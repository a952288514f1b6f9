import numpy as np
import torch

from cxrnet.model.config import PoolingConfig
from tests.training.conftest import TINY_FOLD, fold_module, train_fold_in


def norms(network):
    return [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]


def test_recomputed_statistics_leave_the_weights():
    module = fold_module()
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    module.recompute_batch_norm()
    once = {name: value.clone() for name, value in module.network.state_dict().items()}
    module.recompute_batch_norm()
    changed = {name for name, value in once.items() if not torch.equal(value, before[name])}
    assert changed
    assert all("running" in name or "num_batches" in name for name in changed)
    assert all(torch.equal(value, once[name]) for name, value in module.network.state_dict().items())
    assert not module.network.training


def test_recomputed_mean_is_that_of_the_batches():
    classifier = TINY_FOLD.classifier.model_copy(update={"dropout": 0.0})
    module = fold_module(TINY_FOLD.model_copy(update={"classifier": classifier}))
    first, seen = norms(module.network)[0], []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean(dim=(0, 2, 3)).numpy()))
    module.recompute_batch_norm()
    np.testing.assert_allclose(first.running_mean, np.mean(seen, axis=0), rtol=1e-4, atol=1e-6)


def test_pooling_by_the_image_is_trained(tmp_path):
    losses = set()
    for regions in ("lungs", "intensity", "threshold"):
        pooling = PoolingConfig(regions=regions, intensity_threshold=0.2)
        classifier = TINY_FOLD.classifier.model_copy(update={"pooling": pooling})
        result = train_fold_in(tmp_path / regions, TINY_FOLD.model_copy(update={"classifier": classifier}))
        losses.add(result["val_loss"])
    assert len(losses) == 3
    assert all(np.isfinite(loss) for loss in losses)
