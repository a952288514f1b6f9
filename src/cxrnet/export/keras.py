"""Reading the published Keras weights (HDF5) into the networks, without TensorFlow.

Layer names follow from the order of construction: separable convolutions, 1x1 convolutions and batch norms
are each numbered through the network, the first without a suffix. A layer is found by the name of its outer
group and the last part of a weight's path; the scopes between them differ from file to file.
"""

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from cxrnet.arrays import Float32
from cxrnet.errors import WeightsError
from cxrnet.nn.attention import MultiHeadAttention
from cxrnet.nn.blocks import ResidualBlock, ResidualBranch, SeparableConv2d
from cxrnet.nn.classifier import Fold
from cxrnet.nn.segmenter import Segmenter

Layers = dict[str, dict[str, Float32]]


def read_layers(path: Path) -> Layers:
    """Return the arrays of a Keras file: layer name -> weight name -> float32 array.

    Both kinds of file are read: weights only, and whole models, which keep them in the group `model_weights`.
    """
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = [_text(name) for name in root.attrs.get("layer_names", ())]
            layers = {name: _read_layer(root[name]) for name in names}
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        msg = f"{path.name}: not a readable Keras weights file; give the .h5 files of the published CXR-Net"
        raise WeightsError(msg) from error
    layers = {name: weights for name, weights in layers.items() if weights}
    if not layers:
        raise WeightsError(f"{path.name}: holds no Keras layers; give the .h5 files of the published CXR-Net")
    return layers


def digest(layers: Layers) -> str:
    """Return the sha256 of all arrays in the order of their names: the same however they are stored."""
    sha = hashlib.sha256()
    for layer, weights in sorted(layers.items()):
        for name, array in sorted(weights.items()):
            sha.update(f"{layer}/{name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return sha.hexdigest()


def load_segmenter(segmenter: Segmenter, layers: Layers) -> None:
    """Copy published Module 1 weights into a segmenter of the published architecture."""
    _load(segmenter, _segmenter_layers(segmenter), layers)


def load_fold(fold: Fold, layers: Layers) -> None:
    """Copy one fold of published Module 2 weights into a fold of the published architecture."""
    _load(fold, _fold_layers(fold), layers)


class _Names:
    """Names of the layers of one network, counted by kind as Keras does: `conv2d`, `conv2d_1`, ..."""

    def __init__(self) -> None:
        self.separable, self.pointwise = numbered("separable_conv2d"), numbered("conv2d")
        self.norm, self.attention = numbered("batch_normalization"), numbered("multi_head_attention")


def _segmenter_layers(segmenter: Segmenter) -> Iterator[tuple[str, nn.Module]]:
    names = _Names()
    for block in segmenter.blocks:
        yield from _block_layers(block, names)
    if segmenter.head is not None:
        yield next(names.pointwise), segmenter.head


def _fold_layers(fold: Fold) -> Iterator[tuple[str, nn.Module]]:
    names = _Names()
    if fold.attention is not None:
        yield next(names.attention), fold.attention.rows
        yield next(names.attention), fold.attention.columns
    yield next(names.norm), fold.norm
    for block in fold.blocks:
        yield from _block_layers(block, names)


def _block_layers(block: nn.Module, names: _Names) -> Iterator[tuple[str, nn.Module]]:
    assert isinstance(block, ResidualBlock)
    if block.norm is not None:
        yield next(names.norm), block.norm
    for branch in block.branches:
        assert isinstance(branch, ResidualBranch)
        yield next(names.separable), branch.first
        yield next(names.norm), branch.norm
        yield next(names.separable), branch.second
    yield next(names.pointwise), block.shortcut
    yield next(names.norm), block.shortcut_norm


def numbered(name: str) -> Iterator[str]:
    """Yield `name`, `name_1`, `name_2` and so on, as Keras names its layers."""
    return (name if index == 0 else f"{name}_{index}" for index in count())


def _load(network: nn.Module, names: Iterator[tuple[str, nn.Module]], layers: Layers) -> None:
    left = dict(layers)
    state: dict[str, Tensor] = {}
    prefixes = {id(module): prefix for prefix, module in network.named_modules()}
    for name, module in names:
        if name not in left:
            raise WeightsError(f"weights: layer {name} is missing; the network needs {len(layers)} others and this one")
        weights = left.pop(name)
        try:
            tensors = _tensors(module, weights)
        except (KeyError, ValueError) as error:  # a weight is missing, or has another number of axes
            shapes = ", ".join(f"{key} {array.shape}" for key, array in sorted(weights.items()))
            raise WeightsError(f"weights: layer {name} holds {shapes}; the network is another one") from error
        state |= {f"{prefixes[id(module)]}.{key}": tensor for key, tensor in tensors.items()}
    if left:
        raise WeightsError(f"weights: layers {', '.join(sorted(left))} are left over; the network is another one")
    try:
        # Keras does not keep the batch counters of the batch norms.
        counters = {key: value for key, value in network.state_dict().items() if key.endswith("num_batches_tracked")}
        network.load_state_dict(state | counters, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"weights: {' '.join(str(error).split())}") from error


def _tensors(module: nn.Module, weights: dict[str, Float32]) -> dict[str, Tensor]:
    match module:
        case SeparableConv2d():
            arrays = {
                "depthwise.weight": weights["depthwise_kernel"].transpose(2, 3, 0, 1),
                "pointwise.weight": weights["pointwise_kernel"].transpose(3, 2, 0, 1),
                "pointwise.bias": weights["bias"],
            }
        case nn.Conv2d():
            arrays = {"weight": weights["kernel"].transpose(3, 2, 0, 1), "bias": weights["bias"]}
        case nn.BatchNorm2d():
            arrays = {
                "weight": weights["gamma"],
                "bias": weights["beta"],
                "running_mean": weights["moving_mean"],
                "running_var": weights["moving_variance"],
            }
        case MultiHeadAttention():
            arrays = {
                "query": weights["query_kernel"],
                "key": weights["key_kernel"],
                "value": weights["value_kernel"],
                "projection": weights["projection_kernel"],
                "bias": weights["projection_bias"].reshape(1),
            }
        case _:
            raise TypeError(type(module).__name__)
    return {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()}


def _read_layer(group: h5py.Group) -> dict[str, Float32]:
    paths = [_text(name) for name in group.attrs.get("weight_names", ())]
    return {path.rsplit("/", 1)[-1].removesuffix(":0"): np.asarray(group[path], dtype=np.float32) for path in paths}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
