"""ONNX graphs of the tests, each exported once in a run of all workers: an export may last a quarter of a minute."""

import hashlib
from contextlib import contextmanager
from functools import cache

import pytest
from filelock import FileLock

from cxrnet.export import onnx
from cxrnet.training import features


@contextmanager
def kept_in(folder):
    """Keep what `export_module` returns in `folder`, and take it from there for equal networks and inputs.

    PyTorch's table of operators, which every export would build again in a second, is built once.
    """
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    export = onnx.export_module

    def export_once(module, image, outputs, **options):
        path = folder / f"{digest(module, image, outputs, **options)}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                path.write_bytes(export(module, image, outputs, **options))
            return path.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        for place in (onnx, features):
            patch.setattr(place, "export_module", export_once)
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


def digest(module, image, outputs, *, free=None, patient=None, original=None):
    """SHA-256 of all that a graph follows from: kind, settings and weights of the network, and its inputs."""
    network = original or module
    settings = network.config.model_dump(exclude={"name", "version", "description", "calibration"})  # not in a graph
    shapes = [None if given is None else (given.shape, given.dtype) for given in (image, patient)]
    facts = (type(module), type(network), settings, shapes, tuple(outputs), free)
    found = hashlib.sha256(repr(facts).encode())
    for name, tensor in network.state_dict().items():
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()
