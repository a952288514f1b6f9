"""The trained networks as PyTorch modules for other programs, and what prepares an image for them."""

from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from cxrnet.arrays import UInt8
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.imaging.decoding import read_radiograph
from cxrnet.imaging.preprocess import prepare
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.config import PreparationConfig
from cxrnet.model.registry import open_bundle
from cxrnet.nn.network import Network
from cxrnet.nn.segmenter import Segmenter

XRV_LIMIT = 1024.0
"""Grey values of torchxrayvision lie between minus and plus this."""


class LungSegmenter(Segmenter):
    """Module 1 with trained weights: float [batch, 1, height, width] in [0, 1] to class probabilities.

    Channel `lung_channel` is the lungs; where each side has its own, `lung_probability` adds them up. Images of
    `prepare_image` divided by 255 are what it was trained on.
    """

    @classmethod
    def from_pretrained(cls, bundle: str | PathLike[str] = "lungs") -> Self:
        """Return the segmenter of a bundle, in evaluation mode.

        Args:
            bundle: Name of a bundle, or its folder.

        Raises:
            BundleError: There is no such bundle, or it is damaged.
        """
        network = load_network(open_bundle(str(bundle)))
        segmenter = cls(network.config.segmenter)
        segmenter.load_state_dict(network.segmenter.state_dict())
        return segmenter.eval()


class RadiographNetwork(Network):
    """Both modules with trained weights: prepared images, uint8 [batch, height, width], to `NetworkOutput`."""

    @classmethod
    def from_pretrained(cls, bundle: str | PathLike[str] = "covid") -> Self:
        """Return the network of a bundle with a classifier, in evaluation mode. Its scores are not calibrated.

        Raises:
            BundleError: There is no such bundle, or it is damaged.
            UsageError: The bundle has no classifier.
        """
        trained = load_network(open_bundle(str(bundle)))
        if trained.config.classifier is None:
            raise UsageError(f"{bundle}: has no classifier; LungSegmenter.from_pretrained loads it")
        network = cls(trained.config)
        network.load_state_dict(trained.state_dict())
        return network.eval()


def prepare_image(image: str | PathLike[str] | Radiograph, preparation: PreparationConfig) -> UInt8:
    """Return the prepared image, uint8 [height, width], that the networks of a bundle take.

    Args:
        image: A file, or a radiograph in memory.
        preparation: That of the bundle's config.

    Raises:
        RadiographError: The file cannot be read, or is constant.
    """
    radiograph = image if isinstance(image, Radiograph) else read_radiograph(image)
    return prepare(radiograph.pixels, **preparation.model_dump())


def prepare_xrv(images: Any, preparation: PreparationConfig) -> Tensor:
    """Return prepared images, uint8 [batch, height, width], of those of torchxrayvision.

    Args:
        images: Array or tensor, float [batch, 1, rows, columns] or [1, rows, columns], -1024 to 1024, as
            `torchxrayvision.datasets.normalize` makes them.
        preparation: That of the bundle's config.

    Raises:
        UsageError: Values lie outside -1024 to 1024.
        RadiographError: An image is constant.
    """
    values = np.asarray(images, np.float32)
    values = values.reshape(-1, *values.shape[-2:])
    low, high = float(values.min()), float(values.max())
    if not (low >= -XRV_LIMIT and high <= XRV_LIMIT):
        raise UsageError(f"images: values range over {low:g}..{high:g}; torchxrayvision's lie in -1024..1024")
    pixels = (values + np.float32(XRV_LIMIT)) * np.float32(255 / (2 * XRV_LIMIT))
    return torch.from_numpy(np.stack([prepare(one.clip(0, 255), **preparation.model_dump()) for one in pixels]))


def prepared_tensor(image: str | PathLike[str], preparation: PreparationConfig) -> Any:
    """Return a prepared image as MONAI's tensor, float32 [1, height, width] in [0, 1], with the name of its file."""
    from monai.data.meta_tensor import MetaTensor

    prepared = torch.from_numpy(prepare_image(image, preparation))[None] / 255
    return MetaTensor(prepared, meta={"filename_or_obj": str(image)})
