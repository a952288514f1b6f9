import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession

import cxrnet
from cxrnet.errors import ExportError
from cxrnet.export.bundle import load_network
from cxrnet.export.onnx import compare, export_module, export_network, export_segmenter
from cxrnet.model.bundle import GRAPH, SEGMENTER, read_bundle
from cxrnet.model.config import (
    AlignmentConfig,
    AttentionConfig,
    Branch,
    ClassifierConfig,
    LungMaskConfig,
    PoolingConfig,
    PreparationConfig,
    ScatteringConfig,
    SegmenterConfig,
)
from cxrnet.model.patient import Number, PatientConfig
from cxrnet.nn.network import Network, NetworkOutput
from cxrnet.nn.segmenter import Segmenter
from tests.material import CLASSES, SMALL, draw_xray, randomised

TINY = SegmenterConfig(filters=1, blocks=1, branches=(Branch(kernel=3, dilation=1),))


def _session(content):
    return InferenceSession(content, providers=["CPUExecutionProvider"])


def _names(values):
    return [value.name for value in values]


@pytest.fixture(scope="module")
def whole(small_bundle):
    return _session((small_bundle / GRAPH).read_bytes())


@pytest.fixture(scope="module")
def segmenter(small_bundle):
    return _session((small_bundle / SEGMENTER).read_bytes())


def _check_graph(graph, network, images, **patient):
    """Check that both say the same of the images; return what the network says."""
    with torch.inference_mode():
        expected = network(torch.from_numpy(images), *map(torch.from_numpy, patient.values()))
    for name, want, have in zip(expected._fields, expected, graph.run(None, {"image": images, **patient}), strict=True):
        scale = max(1.0, float(want.abs().max()))
        np.testing.assert_allclose(have, want, rtol=0, atol=1e-5 * scale, err_msg=name)
    return expected


@pytest.mark.parametrize("batch", [1, 3])
def test_graph_says_what_the_network_says_for_any_batch(small_network, whole, batch):
    _check_graph(whole, small_network, np.stack([draw_xray(seed)[0] for seed in range(50, 50 + batch)]))


def test_graph_of_more_classes_has_their_probability_as_one_more_output(organs_bundle):
    graph = _session((organs_bundle / GRAPH).read_bytes())
    network = load_network(read_bundle(organs_bundle))
    said = _check_graph(graph, network, np.stack([draw_xray(seed)[0] for seed in range(2)]))
    assert _names(graph.get_outputs()) == [*NetworkOutput._fields, "class_probability"]
    torch.testing.assert_close(said.lung_probability, said.class_probability[:, 1:3].sum(dim=1))


def test_graph_takes_a_uint8_image_of_the_size_of_the_bundle(whole):
    (image,) = whole.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 64, 72])


def test_outputs_of_the_graph_are_the_fields_of_the_network(whole):
    assert _names(whole.get_outputs()) == list(NetworkOutput._fields)


@pytest.mark.parametrize("shape", [(1, 1, 64, 72), (2, 1, 33, 90), (1, 1, 8, 8)])
def test_segmenter_graph_says_what_the_segmenter_says_for_any_size(small_network, segmenter, shape):
    image = torch.rand(shape)
    with torch.inference_mode():
        expected = small_network.segmenter(image)
    (have,) = segmenter.run(["probability"], {"image": image.numpy()})
    np.testing.assert_allclose(have, expected, rtol=0, atol=1e-5)


def test_segmenter_graph_has_free_batch_height_and_width(segmenter):
    (image,) = segmenter.get_inputs()
    assert image.shape == ["batch", 1, "height", "width"]


@pytest.mark.parametrize("name", [GRAPH, SEGMENTER])
def test_graph_holds_all_of_its_weights(small_bundle, name):
    model = onnx.load(small_bundle / name, load_external_data=False)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


@pytest.mark.parametrize("name", [GRAPH, SEGMENTER])
def test_graph_holds_no_paths_of_the_machine_that_made_it(small_bundle, name):
    content = (small_bundle / name).read_bytes()
    repository = cxrnet.__path__[0].removesuffix("/src/cxrnet").encode()
    assert not any(trace in content for trace in (repository, b"site-packages", b".py", b"/home/", b"/tmp/"))


@pytest.mark.parametrize(
    "changes", [{"classes": CLASSES, "output_stride": 2}, pytest.param({"recurrent_blocks": 2}, marks=pytest.mark.slow)]
)
def test_graph_of_another_segmenter_says_what_it_says_for_any_size(changes):
    segmenter = randomised(Segmenter(TINY.model_copy(update=changes)))
    graph = _session(export_segmenter(segmenter))
    for shape in [(1, 1, 33, 40), (2, 1, 16, 24)]:
        image = torch.rand(shape)
        with torch.inference_mode():
            expected = segmenter(image)
        np.testing.assert_allclose(graph.run(None, {"image": image.numpy()})[0], expected, rtol=0, atol=1e-5)


RECIPE = {"mirror_average": True, "alignment": AlignmentConfig(), "pooling": PoolingConfig(average="lungs")}


@pytest.mark.parametrize("changes", [{}, {"mirror_average": True}, RECIPE], ids=["plain", "mirror", "recipe"])
def test_graph_takes_patient_data_as_the_network_does(changes):
    patient = PatientConfig(columns=(Number(name="age", mean=50.0, sd=20.0),), hidden=3)
    classifier = ClassifierConfig(filters=2, blocks=2, patient=patient, **changes)
    parts = {"classifier": classifier, "segmenter": TINY, "folds": 1}
    network = randomised(Network(SMALL.model_copy(update=parts)))
    graph = _session(export_network(network))
    assert [(one.name, one.type, one.shape[1:]) for one in graph.get_inputs()] == [
        ("image", "tensor(uint8)", [64, 72]),
        ("patient", "tensor(float)", [2]),
    ]
    images = np.stack([draw_xray(seed)[0] for seed in (50, 50, 51)])
    values = np.array([[-1, 0], [2, 0], [0, 1]], np.float32)
    said = _check_graph(graph, network, images, patient=values)
    assert abs(said.scores[0, 0] - said.scores[1, 0]) > 1e-3  # the same image, another age


def test_graph_that_differs_from_the_network_is_refused(small_bundle):
    segmenter = randomised(Segmenter(SMALL.segmenter), seed=1)
    with pytest.raises(ExportError, match="probability: graph and network differ by"):
        compare(segmenter, torch.rand(1, 1, 64, 72), (small_bundle / SEGMENTER).read_bytes(), ("probability",))


class Fixed(Network):
    """A network whose lung mask has steps of 1/255, one pixel `offset` steps higher."""

    def __init__(self, offset):
        super().__init__(SMALL.model_copy(update={"lung_mask": LungMaskConfig(levels=255)}))
        mask = torch.full((1, 128, 128), 100 / 255)
        mask[0, 0, 0] += offset / 255
        self.register_buffer("mask", mask)

    def forward(self, image):
        return self.mask + 0 * image.sum()


def test_one_pixel_of_a_quantised_mask_may_round_to_the_next_step():
    """More than one step off is a difference."""
    image = torch.zeros(2, 1, 1)
    model = export_module(Fixed(0), image, ("lung_mask",))
    for steps in (0, 1):
        compare(Fixed(steps), image[:1], model, ("lung_mask",))
    with pytest.raises(ExportError, match="lung_mask"):
        compare(Fixed(2), image[:1], model, ("lung_mask",))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"scattering": ScatteringConfig(J=1, L=4)},
        {"scattering": ScatteringConfig(J=3, L=2)},
        {"scattering": ScatteringConfig(order=1)},
        {"mirror_average": True},
        {"alignment": AlignmentConfig()},
        {"alignment": AlignmentConfig(), "mirror_average": True, "input_stride": 2},
        {"attention": None},
        {"attention": AttentionConfig(heads=1, size=4)},
        {"classes": ("covid", "other pneumonia", "clear")},
        {"pooling": PoolingConfig(regions="intensity")},
        {"pooling": PoolingConfig(regions="threshold", intensity_threshold=0.3)},
        {"pooling": PoolingConfig(average="lungs")},
    ],
)
def test_every_option_has_a_graph_that_says_the_same(changes):
    classifier = ClassifierConfig(**{"filters": 2, "blocks": 2, **changes})
    preparation = PreparationConfig(height=37, width=50)
    config = SMALL.model_copy(
        update={"classifier": classifier, "segmenter": TINY, "preparation": preparation, "folds": 1}
    )
    assert _names(_session(export_network(randomised(Network(config)))).get_outputs())[-1] == "scores"
