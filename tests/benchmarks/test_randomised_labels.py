import numpy as np
import torch
from benchmarks.randomised_labels import compare, shuffled

from cxrnet.model.config import ClassifierConfig
from cxrnet.nn.classifier import Fold
from cxrnet.training.features import Features


def test_only_labels_of_training_images_are_shuffled():
    labels, train = np.arange(10) % 2, np.arange(8)
    found = shuffled(labels, train, seed=0)
    assert (found != labels).any()
    assert sorted(found[:8]) == sorted(labels[:8])
    np.testing.assert_array_equal(found[8:], labels[8:])


def test_maps_of_the_same_network_correlate_and_those_of_its_negative_are_inverted():
    torch.manual_seed(0)
    network = Fold(ClassifierConfig()).eval()
    values = np.random.default_rng(0).random((1, 3, 51, 38, 43)).astype(np.float16)
    values[:, :, -2] = 1  # lungs all over
    found = compare(
        {"one": network, "same": network, "negative": Negative(network)}, Features(values=values), np.arange(3)
    )
    np.testing.assert_allclose(found["same"], 1, atol=1e-6)
    np.testing.assert_allclose(found["negative"], -1, atol=1e-6)


class Negative(torch.nn.Module):
    """A fold whose class maps have the other sign."""

    def __init__(self, fold):
        super().__init__()
        self.fold, self.config = fold, fold.config

    def forward(self, *inputs, **planes):
        output = self.fold(*inputs, **planes)
        return output._replace(maps=-output.maps)
