import copy
import json

import pytest
import torch
from safetensors.torch import save

from cxrnet.errors import BundleError
from cxrnet.export.bundle import build_bundle, load_network
from cxrnet.model.bundle import CARD, CONFIG, GRAPH, SEGMENTER, WEIGHTS, read_bundle, write_bundle
from cxrnet.model.config import BundleConfig
from cxrnet.nn.network import Network
from tests.export.test_onnx import TINY
from tests.material import SMALL, randomised

LUNGS_ONLY = BundleConfig(name="lungs-only", version="1.0", description="", lungs_include_heart=False, segmenter=TINY)


def _bundle(folder, weights, config=SMALL):
    """A bundle whose graphs are empty; nobody runs them here."""
    return write_bundle(folder, config, {WEIGHTS: weights, SEGMENTER: b"", GRAPH: b"", CARD: b""})


def test_network_comes_back_from_its_bundle(small_network, small_bundle):
    loaded = load_network(read_bundle(small_bundle))
    expected = small_network.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    assert loaded.config == small_network.config


def test_network_comes_back_in_evaluation_mode(small_bundle):
    assert not load_network(read_bundle(small_bundle)).training


def test_bundle_without_classifier_has_no_whole_graph(tmp_path):
    bundle = build_bundle(randomised(Network(LUNGS_ONLY)), tmp_path / "lungs", card="# lungs")
    assert {path.name for path in bundle.folder.iterdir()} == {
        CARD, CONFIG, SEGMENTER, WEIGHTS, "checksums.json",
    }  # fmt: skip
    assert load_network(bundle).config.classifier is None


def test_card_of_the_bundle_is_the_one_given(small_bundle):
    assert read_bundle(small_bundle).card == "# small\n\nMade from drawings, for tests.\n"


def test_existing_folder_is_refused_before_the_export(small_network, tmp_path, monkeypatch):
    monkeypatch.setattr("cxrnet.export.bundle.export_segmenter", lambda segmenter: pytest.fail("exported"))
    with pytest.raises(BundleError, match="exists already; choose another folder or say --overwrite"):
        build_bundle(small_network, tmp_path, card="")


def test_weights_of_another_shape_are_refused(tmp_path, small_network):
    state = copy.deepcopy(small_network.state_dict())
    state["ensemble.folds.0.norm.weight"] = torch.zeros(7)
    bundle = _bundle(tmp_path / "bundle", save(state))
    with pytest.raises(BundleError, match=r"small: .*size mismatch for ensemble\.folds\.0\.norm\.weight"):
        load_network(bundle)


def test_missing_weights_are_refused(tmp_path, small_network):
    state = copy.deepcopy(small_network.state_dict())
    del state["ensemble.folds.1.norm.weight"]
    with pytest.raises(BundleError, match=r"small: .*ensemble.folds.1.norm.weight.*; build the bundle again"):
        load_network(_bundle(tmp_path / "bundle", save(state)))


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    with pytest.raises(BundleError, match=r"small: .*; build the bundle again"):
        load_network(_bundle(tmp_path / "bundle", b"not safetensors"))


def test_config_on_disk_is_plain_json(small_bundle):
    content = json.loads((small_bundle / CONFIG).read_bytes())
    assert (content["format"], content["name"], content["folds"]) == (1, "small", 2)
