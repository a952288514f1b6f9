"""Keras weight files made from our networks: the way back, written from the published numbering of layers."""

import h5py
import numpy as np


def _array(tensor):
    return tensor.detach().numpy()


def _separable(module):
    return {
        "depthwise_kernel": _array(module.depthwise.weight).transpose(2, 3, 0, 1),
        "pointwise_kernel": _array(module.pointwise.weight).transpose(2, 3, 1, 0),
        "bias": _array(module.pointwise.bias),
    }


def _convolution(module):
    return {"kernel": _array(module.weight).transpose(2, 3, 1, 0), "bias": _array(module.bias)}


def _norm(module):
    return {
        "gamma": _array(module.weight),
        "beta": _array(module.bias),
        "moving_mean": _array(module.running_mean),
        "moving_variance": _array(module.running_var),
    }


def _attention(module):
    weights = {f"{name}_kernel": _array(getattr(module, name)) for name in ("query", "key", "value")}
    return weights | {
        "projection_kernel": _array(module.projection),
        "projection_bias": _array(module.bias),
    }


def _numbered(name, number):
    return f"{name}_{number}" if number else name


def _block(block, number, first_norm):
    """Layers of block `number`, whose batch norms begin at `first_norm`; six separable convolutions a block."""
    layers, norm = {}, first_norm
    if block.norm is not None:
        layers[_numbered("batch_normalization", norm)] = _norm(block.norm)
        norm += 1
    for index, branch in enumerate(block.branches):
        base = 2 * (len(block.branches) * number + index)
        layers[_numbered("separable_conv2d", base)] = _separable(branch.first)
        layers[_numbered("batch_normalization", norm + index)] = _norm(branch.norm)
        layers[_numbered("separable_conv2d", base + 1)] = _separable(branch.second)
    layers[_numbered("conv2d", number)] = _convolution(block.shortcut)
    layers[_numbered("batch_normalization", norm + len(block.branches))] = _norm(block.shortcut_norm)
    return layers


def segmenter_layers(segmenter):
    """Layer name -> weight name -> array of a segmenter with three branches."""
    layers = {}
    for number, block in enumerate(segmenter.blocks):
        layers |= _block(block, number, 5 * number - 1 if number else 0)
    return layers | {_numbered("conv2d", len(segmenter.blocks)): _convolution(segmenter.head)}


def fold_layers(fold):
    """Layer name -> weight name -> array of a fold with three branches and attention."""
    layers = {
        "multi_head_attention": _attention(fold.attention.rows),
        "multi_head_attention_1": _attention(fold.attention.columns),
        "batch_normalization": _norm(fold.norm),
    }
    for number, block in enumerate(fold.blocks):
        layers |= _block(block, number, 5 * number if number else 1)
    return layers


def write_keras(path, layers, *, is_whole_model=False, scope=""):
    """Write the layers as Keras does, weights only or as a whole model, with another inner scope if given."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if is_whole_model else file
        names = [*layers, "input_1"]
        root.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = root.create_group(name)
            paths = {f"{scope or name}/{weight}:0": array for weight, array in layers.get(name, {}).items()}
            group.attrs["weight_names"] = [inner.encode() for inner in paths]
            for inner, array in paths.items():
                group[inner] = np.ascontiguousarray(array)
    return path
