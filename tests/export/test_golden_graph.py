"""The graphs of the published bundle, in ONNX Runtime, against arrays recorded from the published implementation."""

import numpy as np
import pytest
from onnxruntime import InferenceSession

from cxrnet.model.bundle import GRAPH, SEGMENTER
from tests.nn.test_golden_segmenter import IMAGES, SIZES

pytestmark = pytest.mark.slow


def _session(path):
    return InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def segmenter(published_bundle):
    return _session(published_bundle / SEGMENTER)


@pytest.fixture(scope="module")
def whole(published_bundle):
    return _session(published_bundle / GRAPH)


@pytest.mark.parametrize("image", [*IMAGES, *SIZES])
def test_lung_probability_in_onnx_runtime_is_that_of_the_published_implementation(segmenter, golden, image):
    recorded = golden(image)
    grey = recorded["input_uint8"][None, None].astype(np.float32) / 255
    (probability,) = segmenter.run(None, {"image": grey})
    np.testing.assert_allclose(probability[0, 0], recorded["module1_v7_prob"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("image", IMAGES)
def test_scores_in_onnx_runtime_are_those_of_the_published_implementation(whole, golden, image):
    recorded = golden(image)
    (scores,) = whole.run(["scores"], {"image": recorded["input_uint8"][None]})
    np.testing.assert_allclose(scores[0], recorded["scores"], rtol=0, atol=1e-4)
