"""Export to ONNX: the whole network as one graph, and Module 1 alone for images of any size.

What is exported is the `fused` form of a network; what it is compared with is the network itself.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from cxrnet.arrays import Float32
from cxrnet.errors import ExportError, MissingExtraError
from cxrnet.export.fused import FusedScattering, FusedSegmenter
from cxrnet.export.fused_ensemble import FusedEnsemble
from cxrnet.model.gate_runtime import GATE_SIZE
from cxrnet.nn.gate_network import GateNetwork, GateOutput
from cxrnet.nn.network import Network, NetworkOutput
from cxrnet.nn.segmenter import Segmenter

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference between graph and network, as part of the largest value of an output."""

ROUNDED_OTHERWISE = 1e-4
"""Part of the pixels of a quantised lung mask that may be one step off: values on the edge of two steps."""


def export_network(network: Network) -> bytes:
    """Return the ONNX model from `image` uint8 [batch, height, width] to the fields of `NetworkOutput`.

    The batch is free, height and width are those of the bundle's preparation. The graph is run once against
    the network before it is returned.

    Raises:
        ExportError: The network has no ONNX form, or the graph says something else than the network.
    """
    _refuse_recurrence(network.segmenter)
    if network.config.classifier is not None and network.config.classifier.patient is not None:
        msg = f"{network.config.name}: patient data has no input in the graph; export a classifier without it"
        raise ExportError(msg)
    size = (network.config.preparation.height, network.config.preparation.width)
    chance = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (2, *size), dtype=torch.uint8, generator=chance)
    was_training = network.training
    network.eval()
    try:
        fused = fuse(network)
        _compare_lungs(network, fused, image[:1].float(), torch.rand((1, *size), generator=chance))
        return _export(fused, image, {0: "batch"}, NetworkOutput._fields, network)
    finally:
        network.train(was_training)


def fuse(network: Network) -> Network:
    """Return a network with the numbers of `network` in evaluation mode, in the form that runs fastest."""
    fused = copy.copy(network)
    fused._modules = dict(network._modules)
    fused.segmenter = FusedSegmenter(network.segmenter)  # type: ignore[assignment]
    if network.config.classifier is not None:
        fused.scattering = FusedScattering(network.config.classifier.scattering)
        fused.ensemble = FusedEnsemble(network.ensemble)  # type: ignore[assignment]
    return fused.eval()


def export_segmenter(segmenter: Segmenter) -> bytes:
    """Return the ONNX model from `image` to `probability` of each class.

    `image` is float [batch, 1, height, width] in [0, 1], `probability` float [batch, class, height, width];
    batch, height and width are free.

    Raises:
        ExportError: The segmenter has recurrent blocks, or the graph says something else than the network.
    """
    _refuse_recurrence(segmenter)
    image = torch.rand((2, 1, 48, 56), generator=torch.Generator().manual_seed(0))
    was_training = segmenter.training
    segmenter.eval()
    try:
        free = {0: "batch", 2: "height", 3: "width"}
        return _export(FusedSegmenter(segmenter).eval(), image, free, ("probability",), segmenter)
    finally:
        segmenter.train(was_training)


def export_gate(view: GateNetwork, metadata: Mapping[str, str]) -> bytes:
    """Return the ONNX model of the gate's network, `image` uint8 [batch, height, width] to the fields of `GateOutput`.

    Args:
        view: The network.
        metadata: What the model tells of itself, key to text.

    Raises:
        ExportError: The graph says something else than the network.
    """
    import onnx

    image = torch.randint(0, 256, (2, *GATE_SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    was_training = view.training
    view.eval()
    try:
        model = onnx.load_from_string(_export(view, image, {0: "batch"}, GateOutput._fields, view))
    finally:
        view.train(was_training)
    onnx.helper.set_model_props(model, dict(metadata))
    content: bytes = model.SerializeToString()
    return content


def export_module(module: nn.Module, image: Tensor, output: str) -> bytes:
    """Return the ONNX model of a module in evaluation mode with one input, `image`, and one output; the batch is free.

    Raises:
        ExportError: The graph says something else than the module.
    """
    return _export(module, image, {0: "batch"}, (output,), module)


def _refuse_recurrence(segmenter: Segmenter) -> None:
    if segmenter.config.recurrent_blocks:
        count = segmenter.config.recurrent_blocks
        msg = f"segmenter: {count} recurrent blocks have no ONNX form; run it in PyTorch or train without them"
        raise ExportError(msg)


def _export(
    network: nn.Module, image: Tensor, free: Mapping[int, str], outputs: Sequence[str], original: nn.Module
) -> bytes:
    """Return `network` as a graph, if that says what `original` says; both are in evaluation mode."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("export: onnx and onnxscript are not installed; pip install 'cxrnet[train]'") from error
    with quiet_exporter():
        program = torch.onnx.export(
            network,
            (image,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=({axis: torch.export.Dim(name) for axis, name in free.items()},),
        )
    assert program is not None
    model = _bare(program.model_proto)
    _compare(original, image[:1], model, outputs)
    return model


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence what the exporter says of its own internals and of libraries that are not used here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _bare(model: object) -> bytes:
    """Return the model without the exporter's notes: nearly half of the file, with paths of this machine."""
    import onnx

    assert isinstance(model, onnx.ModelProto)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _compare(network: nn.Module, image: Tensor, model: bytes, outputs: Sequence[str]) -> None:
    from onnxruntime import InferenceSession

    with torch.inference_mode():
        expected = network(image)
    expected = (expected,) if isinstance(expected, Tensor) else expected
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    got: list[Float32] = session.run(list(outputs), {"image": image.numpy()})
    for name, want, have in zip(outputs, expected, got, strict=True):
        differences = np.abs(have - want.numpy())
        if name == "lung_mask" and isinstance(network, Network) and network.config.lung_mask.levels is not None:
            differences = _without_rounded_otherwise(differences, network.config.lung_mask.levels)
        _refuse_difference(name, float(differences.max()), float(want.abs().max()))


def _compare_lungs(network: Network, fused: Network, image: Tensor, mask: Tensor) -> None:
    """Compare both on a given lung mask: Module 1 may find no lungs in noise, and then all maps are 0."""
    if network.config.classifier is None:
        return
    with torch.inference_mode():
        _, expected = network.classify(image, mask)
        _, got = fused.classify(image, mask)
    for name, want, have in zip(expected._fields, expected, got, strict=True):
        _refuse_difference(name, float((want - have).abs().max()), float(want.abs().max()))


def _refuse_difference(name: str, difference: float, largest: float) -> None:
    allowed = TOLERANCE * max(1.0, largest)
    if not difference <= allowed:
        raise ExportError(f"{name}: graph and network differ by {difference:.2g}; at most {allowed:.2g} is allowed")


def _without_rounded_otherwise(differences: Float32, levels: int) -> Float32:
    """Return the differences with those of one step set to 0, if they are few."""
    is_step = np.abs(differences - 1 / levels) <= TOLERANCE
    return np.where(is_step, 0, differences) if is_step.mean() <= ROUNDED_OTHERWISE else differences
