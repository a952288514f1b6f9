"""Heat maps: whether they depend on the trained weights, and whether what they mark moves the score. Needs PyTorch.

Randomisation: Adebayo et al. 2018, "Sanity checks for saliency maps"; the layers of Module 2 get random weights one
after the other, from the last to the first. Deletion and insertion: Petsiuk et al. 2018, "RISE"; positions of the lungs
are blurred away, or come back out of the blur, in the order of the heat map.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import nn

from cxrnet.arrays import Bool, Float32, Float64, UInt8
from cxrnet.evaluation.audit.stability import correlation
from cxrnet.model.runtime import ModelOutput
from cxrnet.nn.classifier import Fold, scale_coefficients
from cxrnet.nn.network import Network, classifier_input
from cxrnet.screening.heatmap import contrast, resize

STEPS = 5
"""Equal parts of the lungs that are deleted or inserted."""

BLUR = 12.0
"""Standard deviation, in pixels of the prepared image, of the blur that stands for what is deleted."""

GRAIN = 8.0
"""Standard deviation, in pixels, of the blur of the random order, whose patches are as coarse as a heat map's."""


class Case(NamedTuple):
    """A prepared image, uint8 [height, width], and the lung mask of Module 2, float32 [height, width] in [0, 1]."""

    image: UInt8
    mask: Float32


def heat_maps(network: Network, case: Case) -> tuple[Float32, int]:
    """Return the heat map of each class, float32 [class, height, width], NaN outside the lungs, and the answer."""
    assert network.config.classifier is not None  # the audit has refused such a bundle
    with torch.inference_mode():
        grey, mask = torch.from_numpy(case.image[None].astype(np.float32)), torch.from_numpy(case.mask[None])
        output = network.classify(grey, mask)[1]
    maps, logits = output.maps[0].numpy(), output.logits[0].numpy()
    heat = resize(contrast(maps, logits), *case.mask.shape)
    lungs = case.mask > network.config.classifier.pooling.mask_threshold
    return np.where(lungs, heat, np.float32(np.nan)), int(logits.argmax())


def randomise(network: Network, *, seed: int) -> Iterator[tuple[str, Network]]:
    """Yield the name of each layer, from the last to the first, with a network that is random from there on.

    Weights are drawn from a normal distribution with the mean and the standard deviation of the trained ones.
    """
    random = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    folds = cast("list[Fold]", list(random.ensemble.folds))
    numbers = reversed(range(len(folds[0].blocks)))
    layers: dict[str, list[nn.Module | None]] = {
        f"block {number + 1}": [fold.blocks[number] for fold in folds] for number in numbers
    }
    layers |= {"normalisation": [fold.norm for fold in folds], "attention": [fold.attention for fold in folds]}
    for name, each in layers.items():
        modules = [module for module in each if module is not None]
        with torch.no_grad():
            for parameter in (parameter for module in modules for parameter in module.parameters()):
                spread = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(parameter.mean() + spread * noise)
        if modules:
            yield name, random


def randomisation(network: Network, cases: Sequence[Case], *, seed: int) -> dict[str, Float64]:
    """Return layer -> float64 [case], the correlation of the heat maps with those of the trained network.

    The heat map is that of the class that the trained network calls.
    """
    trained = [heat_maps(network, case) for case in cases]
    found = {}
    for name, random in randomise(network, seed=seed):
        found[name] = np.array(
            [
                correlation(heat[predicted], heat_maps(random, case)[0][predicted])
                for case, (heat, predicted) in zip(cases, trained, strict=True)
            ]
        )
    return found


def perturbation(
    run: Callable[[UInt8], ModelOutput], image: UInt8, *, threshold: float, seed: int
) -> dict[str, Float64]:
    """Return the curves of one image: float64 [step], the score of its class, from none to all of the lungs changed.

    The names are `deletion` and `insertion`, each by the order `heat map`, `random` and `lung centre`. A heat map that
    tells what the score rests on makes deletion fall and insertion rise faster than the other two. `run` is
    `Pipeline.run`: the lungs of each changed `image`, uint8 [height, width], are segmented, above `threshold`.
    """
    output = run(image)
    predicted, lungs = int(output.logits.argmax()), output.lung_mask > threshold
    heat = resize(contrast(output.class_maps, output.logits), *image.shape)[predicted]
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR), np.uint8)
    bare = np.where(lungs, blurred, image)
    first, last = float(output.scores[predicted]), float(run(bare).scores[predicted])
    curves = {}
    for order, values in _orders(heat, lungs, seed=seed).items():
        rank = np.full(lungs.shape, STEPS, np.int64)
        place = np.asarray(np.argsort(np.argsort(-values[lungs], kind="stable")), np.int64)
        rank[lungs] = place * STEPS // max(len(place), 1)
        for name, begin, change, ends in (
            ("deletion", image, blurred, (first, last)),
            ("insertion", bare, image, (last, first)),
        ):
            between = [run(np.where(rank < step, change, begin)).scores[predicted] for step in range(1, STEPS)]
            curves[f"{name} by {order}"] = np.array([ends[0], *between, ends[1]], np.float64)
    return curves


def scattering_features(network: Network, case: Case) -> Float64:
    """Return what the classifier sees: mean and spread of each coefficient inside the lungs, float64 [feature]."""
    with torch.inference_mode():
        grey = network.config.standardisation
        assert grey is not None  # the audit has refused such a bundle
        assert network.config.classifier is not None
        image = torch.from_numpy(case.image[None].astype(np.float32))
        mask = torch.from_numpy(case.mask[None].astype(np.float32))
        given = classifier_input(image, mask, network.config.classifier, grey)
        scattering = network.scattering(given.image)
        inside = torch.ones((1, 1, *scattering.shape[2:]))
        seen = scale_coefficients(scattering, inside, network.config.classifier)[0].numpy()
        lungs = given.lungs[0].numpy() > 0.5
    chosen = seen[:, lungs] if lungs.any() else np.zeros((len(seen), 1))
    return np.concatenate([chosen.mean(axis=1), chosen.std(axis=1)]).astype(np.float64)


def _orders(heat: Float32, lungs: Bool, *, seed: int) -> Mapping[str, Float32]:
    """Return order -> values, the highest first: the heat map, smooth noise, distance from the border of the lungs."""
    noise = np.random.default_rng(seed).normal(size=lungs.shape).astype(np.float32)
    return {
        "heat map": heat,
        "random": np.asarray(cv2.GaussianBlur(noise, (0, 0), GRAIN), np.float32),
        "lung centre": np.asarray(cv2.distanceTransform(lungs.astype(np.uint8), cv2.DIST_L2, 5), np.float32),
    }
