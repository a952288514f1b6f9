import numpy as np
import pytest
import torch

from cxrnet.errors import BundleError
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.model.runtime import Runtime
from tests.material import draw_xray


@pytest.fixture(scope="module")
def runtime(small_bundle):
    return Runtime(read_bundle(small_bundle), threads=1)


def test_runtime_says_what_the_network_says(runtime, small_network):
    image = draw_xray(1)[0]
    stages = runtime.screen(image)
    with torch.inference_mode():
        expected = small_network(torch.from_numpy(image)[None])
    assert stages.class_probability is None
    for name, value in zip(stages._fields[:-1], stages[:-1], strict=True):
        np.testing.assert_allclose(value, getattr(expected, name)[0].numpy(), atol=1e-4, err_msg=name)


def test_runtime_refuses_an_image_of_another_size(runtime):
    with pytest.raises(ValueError, match=r"image is uint8 \(65, 72\); uint8 \(64, 72\) is needed"):
        runtime.screen(np.zeros((65, 72), np.uint8))


def test_runtime_refuses_an_image_of_another_type(runtime):
    with pytest.raises(ValueError, match="image is float32"):
        runtime.screen(np.zeros((64, 72), np.float32))


def test_lung_probability_takes_any_size(runtime):
    probability = runtime.lung_probability(draw_xray(1, height=90, width=70)[0])
    assert probability.shape == (90, 70)
    assert 0 <= probability.min() <= probability.max() <= 1


def test_runtime_refuses_to_screen_without_a_classifier(small_bundle):
    whole = read_bundle(small_bundle)
    config = whole.config.model_copy(update={"classifier": None, "folds": 0, "standardisation": None})
    runtime = Runtime(Bundle(folder=whole.folder, config=config, sha256=whole.sha256))
    with pytest.raises(BundleError, match="small: has no classifier; use it with `cxrnet segment`"):
        runtime.screen(draw_xray(1)[0])
