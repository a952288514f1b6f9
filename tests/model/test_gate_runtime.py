import numpy as np
import pytest

from cxrnet.errors import BundleError
from cxrnet.model.bundle import GATE, read_bundle
from cxrnet.model.gate_runtime import GATE_SIZE, SHIPPED_GATE, GateRuntime
from tests.material import open_gate


def test_network_looks_at_images_of_any_size(tmp_path):
    (tmp_path / "view.onnx").write_bytes(open_gate())
    runtime = GateRuntime(tmp_path / "view.onnx")
    for shape in (GATE_SIZE, (64, 72)):
        seen = runtime.predict(np.zeros(shape, np.uint8))
        assert seen.contents["frontal"] == 1
        assert (seen.turn, seen.turned, seen.inverted, seen.distance) == (0, 0, 0, 0)


@pytest.mark.parametrize("content", [None, b"no graph"])
def test_graph_that_cannot_be_opened_is_named(tmp_path, content):
    path = tmp_path / "mine.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"^mine\.onnx: cannot be opened"):
        GateRuntime(path).predict(np.zeros(GATE_SIZE, np.uint8))


def test_graph_of_another_kind_is_named(small_bundle):
    with pytest.raises(BundleError, match=r"^graph\.onnx: is not a gate network of this version"):
        GateRuntime(small_bundle / "graph.onnx").predict(np.zeros(GATE_SIZE, np.uint8))


def test_gate_of_a_bundle_comes_before_that_of_the_package(small_bundle):
    assert read_bundle(small_bundle).gate_graph == small_bundle / GATE


def test_network_of_the_package_takes_noise_for_nothing_that_it_knows():
    noise = np.random.default_rng(0).integers(0, 256, GATE_SIZE, dtype=np.uint8)
    seen = GateRuntime(SHIPPED_GATE).predict(noise)
    assert seen.distance > 2 * seen.limits["unlike"]
