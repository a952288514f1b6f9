import h5py
import numpy as np
import pytest
import torch

from cxrnet.errors import WeightsError
from cxrnet.export.keras import digest, load_fold, load_segmenter, numbered, read_layers
from cxrnet.model.config import ClassifierConfig, SegmenterConfig
from cxrnet.nn.classifier import Fold
from cxrnet.nn.segmenter import Segmenter
from tests.export.keras_file import fold_layers, segmenter_layers, write_keras
from tests.material import randomised

SEGMENTER = SegmenterConfig(filters=2, blocks=3)
FOLD = ClassifierConfig(filters=2, blocks=3)


@pytest.fixture
def segmenter():
    return randomised(Segmenter(SEGMENTER))


@pytest.fixture
def layers(segmenter):
    return segmenter_layers(segmenter)


def _same(one, other):
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("is_whole_model", [False, True])
@pytest.mark.parametrize("scope", ["", "separable_conv2d/separable_conv2d_18"])
def test_segmenter_comes_back_from_a_keras_file(tmp_path, segmenter, layers, is_whole_model, scope):
    path = write_keras(tmp_path / "w.h5", layers, is_whole_model=is_whole_model, scope=scope)
    loaded = Segmenter(SEGMENTER)
    load_segmenter(loaded, read_layers(path))
    assert _same(loaded, segmenter)


@pytest.mark.parametrize("is_whole_model", [False, True])
def test_fold_comes_back_from_a_keras_file(tmp_path, is_whole_model):
    fold = randomised(Fold(FOLD))
    path = write_keras(tmp_path / "w.h5", fold_layers(fold), is_whole_model=is_whole_model, scope="deep/scope")
    loaded = Fold(FOLD)
    load_fold(loaded, read_layers(path))
    assert _same(loaded, fold)


def test_layers_without_weights_are_left_out(tmp_path, layers):
    assert "input_1" not in read_layers(write_keras(tmp_path / "w.h5", layers))


def test_digest_is_the_same_however_the_weights_are_stored(tmp_path, layers):
    files = [
        write_keras(tmp_path / "a.h5", layers),
        write_keras(tmp_path / "b.h5", layers, is_whole_model=True, scope="other"),
        write_keras(tmp_path / "c.h5", dict(reversed(layers.items()))),
    ]
    assert len({digest(read_layers(path)) for path in files}) == 1


def test_digest_changes_with_any_weight(layers):
    before = digest(layers)
    layers["conv2d"]["bias"] = layers["conv2d"]["bias"] + np.float32(1e-6)
    assert digest(layers) != before


def test_layers_are_numbered_from_the_second_on():
    assert [name for name, _ in zip(numbered("conv2d"), range(3), strict=False)] == [
        "conv2d", "conv2d_1", "conv2d_2",
    ]  # fmt: skip


def test_missing_layer_is_named(segmenter, layers):
    del layers["conv2d_1"]
    with pytest.raises(WeightsError, match="weights: layer conv2d_1 is missing"):
        load_segmenter(segmenter, layers)


def test_layers_left_over_are_named(segmenter, layers):
    layers |= {"dense": {"kernel": np.zeros((2, 2), np.float32)}, "conv2d_9": {}}
    with pytest.raises(WeightsError, match="weights: layers conv2d_9, dense are left over; the network is another"):
        load_segmenter(segmenter, layers)


def test_layer_of_another_shape_is_named(segmenter, layers):
    layers["conv2d"]["bias"] = np.zeros(7, np.float32)
    with pytest.raises(WeightsError, match=r"weights: .*size mismatch for blocks\.0\.shortcut\.bias"):
        load_segmenter(segmenter, layers)


def test_layer_without_one_of_its_weights_is_named(segmenter, layers):
    del layers["conv2d"]["bias"]
    with pytest.raises(WeightsError, match=r"layer conv2d holds kernel \(1, 1, 1, 6\); the network is another"):
        load_segmenter(segmenter, layers)


def test_kernel_with_another_number_of_axes_is_named(segmenter, layers):
    layers["conv2d"]["kernel"] = np.zeros((1, 6), np.float32)
    with pytest.raises(WeightsError, match=r"layer conv2d holds bias \(6,\), kernel \(1, 6\); the network"):
        load_segmenter(segmenter, layers)


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_file_that_is_no_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.h5: not a readable Keras weights file; give the \.h5 files"):
        read_layers(path)


def test_hdf5_without_keras_layers_is_refused(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(WeightsError, match=r"data\.h5: holds no Keras layers; give the \.h5 files"):
        read_layers(tmp_path / "data.h5")


def test_file_that_names_a_layer_it_does_not_hold_is_refused(tmp_path, layers):
    path = write_keras(tmp_path / "w.h5", layers)
    with h5py.File(path, "a") as file:
        del file["conv2d"]
    with pytest.raises(WeightsError, match=r"w\.h5: not a readable Keras weights file"):
        read_layers(path)


def test_file_whose_weights_are_text_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv2d"]
        file.create_group("conv2d").attrs["weight_names"] = [b"kernel:0"]
        file["conv2d/kernel:0"] = "text"
    with pytest.raises(WeightsError, match=r"w\.h5: not a readable Keras weights file"):
        read_layers(tmp_path / "w.h5")


def test_file_whose_layer_is_no_group_is_refused(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv2d"]
        file["conv2d"] = np.zeros(3)
        file["conv2d"].attrs["weight_names"] = [b"kernel:0"]
    with pytest.raises(WeightsError, match=r"w\.h5: not a readable Keras weights file"):
        read_layers(tmp_path / "w.h5")
