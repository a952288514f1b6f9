"""The whole network, from prepared image to scores: both modules, the mask between them, the scattering.

This is what a bundle's graph is exported from.
"""

from collections import namedtuple
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrnet.arrays import Float64
from cxrnet.model.config import BundleConfig, ClassifierConfig, LungMaskConfig, Standardisation
from cxrnet.model.segmenter_classes import has_label_maps
from cxrnet.nn.alignment import Frame, equalised, lung_frame
from cxrnet.nn.classifier import Ensemble, EnsembleOutput, Fold, mean_of_folds
from cxrnet.nn.scattering import Scattering
from cxrnet.nn.segmenter import Segmenter


class NetworkOutput(NamedTuple):
    """All that the network says of a batch, in the order of the graph's outputs.

    `lung_probability` and `lung_mask` float [batch, height, width] in [0, 1], the mask being what Module 2
    takes; `scattering` float [batch, channel, rows, columns]; then as in `EnsembleOutput`.
    """

    lung_probability: Tensor
    lung_mask: Tensor
    scattering: Tensor
    fold_maps: Tensor
    fold_scores: Tensor
    class_maps: Tensor
    logits: Tensor
    scores: Tensor


ClassesOutput = namedtuple("ClassesOutput", (*NetworkOutput._fields, "class_probability"))  # type: ignore[misc]
"""`NetworkOutput` of more than two segmenter classes; `class_probability` float [batch, class, height, width]."""


def lung_mask(probability: Tensor, image: Tensor, config: LungMaskConfig) -> Tensor:
    """Return the lung mask of Module 2, float [batch, height, width] in [0, 1], from lung probability and image.

    The image has grey values 0 to 255. The config names a number of levels and a window of grey values; the published
    code has both, the paper neither.
    """
    mask = probability
    if config.levels is not None:
        mask = (mask * config.levels).round() / config.levels
    if config.window is not None:
        low, high = config.window
        mask = mask * ((image >= low) & (image <= high)).to(mask.dtype)
    return mask


class ClassifierInput(NamedTuple):
    """What Module 2 sees of a batch of images.

    `image` float [batch, rows, columns], standardised grey values, which the scattering transform takes; `lungs` and
    `greys` float [batch, rows, columns], lung mask and image in [0, 1], averaged over the positions of the
    coefficients; `frame`, the part of the images that is seen, None for all of them.
    """

    image: Tensor
    lungs: Tensor
    greys: Tensor
    frame: Frame | None


def classifier_input(
    image: Tensor,
    mask: Tensor,
    config: ClassifierConfig,
    grey: Standardisation,
    *,
    lungs: Tensor | None = None,
    jitter: Tensor | None = None,
) -> ClassifierInput:
    """Return what Module 2 sees of prepared images and their lungs, float [batch, height, width] each.

    The image has grey values 0 to 255, the mask is what `lung_mask` returns. The image is aligned by `lungs`, by
    default by the mask, with the `jitter` of `lung_frame` in training. A halved image has sides that are multiples of
    2^J.
    """
    size = scattered_size(config, *image.shape[-2:])
    positions = [side // 2**config.scattering.J for side in size]
    frame = None
    if config.alignment is not None:
        frame = lung_frame(mask if lungs is None else lungs, config.alignment, jitter=jitter)
        seen = equalised(frame.resampled(image, *size))
        inside, greys = frame.resampled(mask, *positions), averaged(seen, *positions)
    else:
        seen = averaged(image, *size) if config.input_stride > 1 else image
        inside, greys = (
            functional.avg_pool2d(plane.unsqueeze(1), 2**config.scattering.J).squeeze(1)
            if config.input_stride == 1
            else averaged(plane, *positions)
            for plane in (mask, image)
        )
    return ClassifierInput((seen - grey.mean) / grey.std, inside, greys / 255, frame)


def scattered_size(config: ClassifierConfig, height: int, width: int) -> tuple[int, int]:
    """Return height and width of the image that is scattered, of those of the prepared image."""
    if config.input_stride == 1:
        return height, width
    size = 2**config.scattering.J
    rows, columns = (-(-side // (config.input_stride * size)) * size for side in (height, width))
    return rows, columns


def split_mirrored(values: Tensor) -> Tensor:
    """Return float [2, batch, ...] of float [2 * batch, ...]: what belongs to images, then to their mirror images."""
    return values.reshape(2, -1, *values.shape[1:])


def averaged(plane: Tensor, rows: int, columns: int) -> Tensor:
    """Return float [batch, rows, columns] of a larger float [batch, height, width], each the mean of its area."""
    down, across = (
        torch.as_tensor(area_weights(int(length), int(count)), dtype=plane.dtype, device=plane.device)
        for length, count in zip(plane.shape[-2:], (rows, columns), strict=True)
    )
    return down @ plane @ across.T


@cache
def area_weights(length: int, count: int) -> Float64:
    """Return the matrix float64 [count, length] that averages a line of pixels over `count` equal parts."""
    edges = np.arange(count + 1) * length / count
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return overlap.clip(min=0) * count / length


class Network(nn.Module):
    """Segmenter, scattering transform and ensemble as one network; `config` is that of a bundle."""

    def __init__(self, config: BundleConfig) -> None:
        super().__init__()
        self.config = config
        self.segmenter = Segmenter(config.segmenter)
        if config.classifier is not None:
            self.scattering = Scattering(config.classifier.scattering)
            self.ensemble = Ensemble([Fold(config.classifier) for _ in range(config.folds)])

    def classify(self, image: Tensor, mask: Tensor, patient: Tensor | None = None) -> tuple[Tensor, EnsembleOutput]:
        """Return the scattering coefficients and what the ensemble makes of image and lung mask.

        The image, float [batch, height, width], has grey values 0 to 255; the mask is what `lung_mask` returns.
        `patient` is float [batch, input] if the classifier takes patient data.
        """
        grey = self.config.standardisation
        if grey is None or self.config.classifier is None:
            raise ValueError(f"{self.config.name}: has no classifier")
        config = self.config.classifier
        given, *planes, frame = classifier_input(image, mask, config, grey)
        if config.mirror_average:
            planes = [torch.cat([plane, plane.flip(-1)]) for plane in planes]
            patient = None if patient is None else torch.cat([patient, patient])
        scattering = self.scattering.with_mirror_images(given) if config.mirror_average else self.scattering(given)
        output: EnsembleOutput = self.ensemble(scattering, planes[0], image=planes[1], patient=patient)
        if config.mirror_average:
            maps, logits = split_mirrored(output.fold_maps), split_mirrored(output.fold_logits)
            scattering = split_mirrored(scattering)[0]
            output = mean_of_folds((maps[0] + maps[1].flip(-1)) / 2, logits.mean(dim=0))
        if frame is not None:
            maps = frame.restored(output.fold_maps, *image.shape[-2:])
            output = output._replace(fold_maps=maps, maps=maps.mean(dim=1))
        return scattering, output

    def forward(self, image: Tensor, patient: Tensor | None = None) -> NetworkOutput:
        """Return all stages for uint8 [batch, height, width], prepared images, and patient data as in `classify`.

        A segmenter of more than two classes gives a `ClassesOutput`.
        """
        grey = image.to(torch.float32)
        if not has_label_maps(self.config.segmenter.classes):
            return self._stages(grey, self.segmenter.lung_probability((grey / 255).unsqueeze(1)), patient)
        classes: Tensor = self.segmenter((grey / 255).unsqueeze(1))
        stages = self._stages(grey, self.segmenter.lungs_of(classes), patient)
        return cast(NetworkOutput, ClassesOutput._make((*stages, classes)))

    def _stages(self, grey: Tensor, probability: Tensor, patient: Tensor | None) -> NetworkOutput:
        """Return all stages, of grey values and lung probability, float [batch, height, width] each."""
        return self.stages_on_mask(grey, probability, lung_mask(probability, grey, self.config.lung_mask), patient)

    def stages_on_mask(self, grey: Tensor, probability: Tensor, mask: Tensor, patient: Tensor | None) -> NetworkOutput:
        """Return all stages where the lung mask, float [batch, height, width], is given as well."""
        scattering, ensemble = self.classify(grey, mask, patient)
        return NetworkOutput(
            lung_probability=probability,
            lung_mask=mask,
            scattering=scattering,
            fold_maps=ensemble.fold_maps,
            fold_scores=ensemble.fold_scores,
            class_maps=ensemble.maps,
            logits=ensemble.logits,
            scores=ensemble.scores,
        )
