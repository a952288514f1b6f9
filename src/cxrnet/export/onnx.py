"""Export to ONNX: the whole network as one graph, and Module 1 alone for images of any size.

The graph is made of the `fused` form of a network and compared with the network itself. Exporting puts the network in
evaluation mode.
"""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cxrnet.arrays import Float32
from cxrnet.errors import ExportError, require
from cxrnet.export.fused import FusedSegmenter
from cxrnet.export.fused_ensemble import FusedEnsemble
from cxrnet.export.fused_scattering import FusedScattering, MirroredScattering
from cxrnet.model.segmenter_classes import has_label_maps
from cxrnet.nn.network import ClassesOutput, Network, NetworkOutput
from cxrnet.nn.segmenter import Segmenter
from cxrnet.quiet import quiet

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference between graph and network, relative to the largest value of an output."""

MAX_ROUNDED_FRACTION = 1e-4
"""Fraction of the pixels of a quantised lung mask that may be one step off: values on the edge of two steps."""


def export_network(network: Network) -> bytes:
    """Return the ONNX model from `image` uint8 [batch, height, width] to the fields of the network's output.

    The batch is free, height and width are those of the bundle's preparation. A classifier with patient data has a
    second input, `patient` float32 [batch, input].
    """
    size = (network.config.preparation.height, network.config.preparation.width)
    rng = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (2, *size), dtype=torch.uint8, generator=rng)
    fused = fuse(network.eval())
    mask = torch.rand((1, *size), generator=rng)
    columns = None if network.config.classifier is None else network.config.classifier.patient
    patient = None if columns is None else torch.randn((2, len(columns.inputs)), generator=rng)
    _compare_on_mask(network, fused, image[:1].float(), mask, None if patient is None else patient[:1])
    output = ClassesOutput if has_label_maps(network.config.segmenter.classes) else NetworkOutput
    return export_module(fused, image, output._fields, patient=patient, original=network)


def fuse(network: Network) -> Network:
    """Return a network with the numbers of `network` in evaluation mode, in the form that runs fastest."""
    fused = copy.copy(network)
    fused._modules = dict(network._modules)
    fused.segmenter = FusedSegmenter(network.segmenter)  # type: ignore[assignment]
    if network.config.classifier is not None:
        is_shared = network.config.classifier.mirror_average and network.config.preparation.width % 2 == 0
        transform = MirroredScattering if is_shared else FusedScattering
        fused.scattering = transform(network.config.classifier.scattering)
        fused.ensemble = FusedEnsemble(network.ensemble)  # type: ignore[assignment]
    return fused.eval()


def export_segmenter(segmenter: Segmenter) -> bytes:
    """Return the ONNX model from `image` to `probability` of each class.

    `image` is float [batch, 1, height, width] in [0, 1], `probability` float [batch, class, height, width];
    batch, height and width are free.
    """
    image = torch.rand((2, 1, 48, 56), generator=torch.Generator().manual_seed(0))
    free = {0: "batch", 2: "height", 3: "width"}
    return export_module(FusedSegmenter(segmenter.eval()), image, ("probability",), free=free, original=segmenter)


def export_module(
    module: nn.Module,
    image: Tensor,
    outputs: Sequence[str],
    *,
    free: Mapping[int, str] | None = None,
    patient: Tensor | None = None,
    original: nn.Module | None = None,
) -> bytes:
    """Return a module with the input `image`, and `patient` if it takes one, as an ONNX model after comparing both.

    `image` and `patient` are examples of at least two images. `free` names the axes of the image that may have any
    size, by default the batch. The graph is compared with `original`, by default the module itself, both in evaluation
    mode.
    """
    with require("train", "export"):
        import onnxscript  # noqa: F401
    inputs = {"image": image} if patient is None else {"image": image, "patient": patient}
    axes = {"image": free or {0: "batch"}, "patient": {0: "batch"}}
    with quiet("torch.onnx"):  # messages about its internals and about unused libraries
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({axis: torch.export.Dim(name) for axis, name in axes[key].items()} for key in inputs),
        )
    assert program is not None
    model = _without_notes(program.model_proto)
    compare(original or module, image[:1], model, outputs, patient=None if patient is None else patient[:1])
    return model


def compare(
    network: nn.Module, image: Tensor, model: bytes, outputs: Sequence[str], *, patient: Tensor | None = None
) -> None:
    """Check that a graph and the network in evaluation mode give equal outputs for an image and its patient data."""
    from onnxruntime import InferenceSession

    inputs = {"image": image} if patient is None else {"image": image, "patient": patient}
    with torch.inference_mode():
        expected = network.eval()(*inputs.values())
    expected = (expected,) if isinstance(expected, Tensor) else expected
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    got: list[Float32] = session.run(list(outputs), {name: given.numpy() for name, given in inputs.items()})
    if isinstance(network, Network) and network.config.is_aligned:
        expected = _on_same_mask(network, image, expected, torch.from_numpy(got[outputs.index("lung_mask")]), patient)
    for name, want, have in zip(outputs, expected, got, strict=True):
        differences = np.abs(have - want.numpy())
        if name == "lung_mask" and isinstance(network, Network) and network.config.lung_mask.levels is not None:
            is_step = np.abs(differences - 1 / network.config.lung_mask.levels) <= TOLERANCE
            if is_step.mean() <= MAX_ROUNDED_FRACTION:
                differences = np.where(is_step, 0, differences)
        _refuse_difference(name, float(differences.max()), float(want.abs().max()))


def _on_same_mask(
    network: Network, image: Tensor, expected: tuple[Tensor, ...], mask: Tensor, patient: Tensor | None
) -> tuple[Tensor, ...]:
    """Return what the network makes of the graph's lung mask, next to its own mask.

    Images are aligned by the mask above one half. In noise many pixels are near it, and the last bit moves the frame.
    """
    stages = NetworkOutput._make(expected[: len(NetworkOutput._fields)])
    with torch.inference_mode():
        moved = network.stages_on_mask(image.float(), stages.lung_probability, mask, patient)
    return (*moved._replace(lung_mask=stages.lung_mask), *expected[len(stages) :])


def _without_notes(model: object) -> bytes:
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


def _compare_on_mask(network: Network, fused: Network, image: Tensor, mask: Tensor, patient: Tensor | None) -> None:
    """Compare both on a given lung mask: Module 1 may find no lungs in noise, and then all maps are 0."""
    if network.config.classifier is None:
        return
    with torch.inference_mode():
        _, expected = network.classify(image, mask, patient)
        _, got = fused.classify(image, mask, patient)
    for name, want, have in zip(expected._fields, expected, got, strict=True):
        _refuse_difference(name, float((want - have).abs().max()), float(want.abs().max()))


def _refuse_difference(name: str, difference: float, largest: float) -> None:
    allowed = TOLERANCE * max(1.0, largest)
    if not difference <= allowed:
        raise ExportError(f"{name}: graph and network differ by {difference:.2g}; at most {allowed:.2g} is allowed")
