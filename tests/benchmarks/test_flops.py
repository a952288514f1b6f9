import pytest
from benchmarks.flops import matrix_task, operations, segmenter_operations

from cxrnet.export.fused_scattering import FUSED_TAIL
from cxrnet.model.config import BundleConfig, ClassifierConfig, SegmenterConfig, Standardisation
from cxrnet.nn.network import Network
from cxrnet.nn.scattering import wavelets
from tests.material import SMALL

PAPER = BundleConfig(
    name="paper",
    version="1.0",
    description="presets",
    lungs_include_heart=True,
    classifier=ClassifierConfig(),
    folds=6,
    standardisation=Standardisation(mean=124.0, std=76.0),
)


def _weights(module):
    """Weights of the convolutions, each used once at every position."""
    return sum(tensor.numel() for name, tensor in module.named_parameters() if tensor.ndim == 4)


def test_module_1_has_two_operations_a_weight_and_position():
    network = Network(PAPER)
    assert operations(PAPER)["module 1"] == 2 * 300 * 340 * _weights(network.segmenter)


def test_output_stride_2_leaves_a_quarter_of_module_1():
    halved = SegmenterConfig(output_stride=2)
    assert 4 * segmenter_operations(halved, 300, 340) == segmenter_operations(SegmenterConfig(), 300, 340)


def test_folds_have_two_operations_a_weight_and_position():
    network = Network(PAPER)
    assert operations(PAPER)["folds"] == 2 * 75 * 85 * _weights(network.ensemble)


def test_scattering_counts_its_wavelets_and_its_low_pass():
    first, second = (wavelets(6, scale, 0, tail=FUSED_TAIL)[:, 0] for scale in (0, 1))
    wanted = 308 * 348 * first.size + 7 * 154 * 174 * second.size
    low = 7 * (75 * 308 * 348 + 75 * 348 * 85) + 42 * (75 * 154 * 174 + 75 * 174 * 85)
    assert operations(PAPER)["scattering"] == 2 * (wanted + low)


def test_image_that_is_halved_and_mirrored_has_half_the_operations_of_module_2():
    classifier = ClassifierConfig(input_stride=2, mirror_average=True)
    found = operations(PAPER.model_copy(update={"classifier": classifier}))
    assert found["folds"] == operations(PAPER)["folds"] * 2 * (38 * 43) / (75 * 85)
    assert 0.5 < found["scattering"] / operations(PAPER)["scattering"] < 0.6


def test_segmenter_alone_has_no_other_part():
    lungs = PAPER.model_copy(update={"classifier": None, "folds": 0})
    assert list(operations(lungs)) == ["module 1"]


@pytest.mark.parametrize("merge", ["concatenate", "add"])
def test_added_branches_have_the_weights_of_their_network(merge):
    config = SegmenterConfig(filters=4, blocks=3, merge=merge)
    network = Network(SMALL.model_copy(update={"segmenter": config}))
    assert segmenter_operations(config, 10, 20) == 2 * 200 * _weights(network.segmenter)


def test_matrix_product_has_two_operations_a_weight():
    assert matrix_task()[1] == 2 * 2048**3
