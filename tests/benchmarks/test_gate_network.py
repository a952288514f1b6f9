import numpy as np
import onnxruntime
import pytest
import torch
from benchmarks.gate.network import FEATURES, GateNetwork
from benchmarks.gate.train import export_gate

from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = GateNetwork().eval()
    with torch.inference_mode():
        network.measure(torch.randn(200, FEATURES) * 0.3)
    return network


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (3, *GATE_SIZE), dtype=torch.uint8)


def test_network_answers_three_questions(network, images):
    with torch.inference_mode():
        seen = network(images)
    assert seen.contents.shape == (3, len(CONTENTS))
    assert seen.turns.shape == (3, len(TURNS))
    assert torch.allclose(seen.contents.sum(dim=1), torch.ones(3))
    assert ((seen.inverted >= 0) & (seen.inverted <= 1)).all()


def test_network_is_small():
    assert sum(parameter.numel() for parameter in GateNetwork().parameters()) < 60_000


def test_distance_is_that_of_mahalanobis(network, images):
    usual = torch.randn(500, FEATURES, generator=torch.Generator().manual_seed(1)) @ torch.rand(FEATURES, FEATURES)
    network = GateNetwork().eval()
    with torch.inference_mode():
        network.measure(usual, ridge=0.0)
        features, seen = network.features(images), network(images)
    away = (features - usual.mean(dim=0)).double().numpy()
    inverse = np.linalg.inv(np.cov(usual.double().numpy().T))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", away, inverse, away))
    np.testing.assert_allclose(seen.distance, expected, rtol=1e-3)


def test_graph_says_what_the_network_says_and_tells_of_itself(network, images):
    session = onnxruntime.InferenceSession(export_gate(network, {"a": "b"}), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["a"] == "b"
    with torch.inference_mode():
        expected = network(images)
    for name, got in zip(expected._fields, session.run(list(expected._fields), {"image": images.numpy()}), strict=True):
        np.testing.assert_allclose(got, getattr(expected, name), atol=1e-4)
