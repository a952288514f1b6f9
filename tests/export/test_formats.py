import json
import subprocess
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession

from cxrnet import open_bundle
from cxrnet.errors import BundleError, UsageError
from cxrnet.export.bundle import load_network
from cxrnet.export.formats import export_bundle
from cxrnet.export.pretrained import LungSegmenter, RadiographNetwork, prepare_image, prepare_xrv
from cxrnet.model.bundle import GRAPH, SEGMENTER
from tests.material import draw_xray


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return open_bundle(str(small_bundle))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_says_what_the_network_says(bundle, tmp_path):
    export_bundle(bundle, tmp_path / "ts", "torchscript")
    images = torch.from_numpy(np.stack([draw_xray(seed)[0] for seed in range(3)]))
    with torch.inference_mode():
        expected = load_network(bundle)(images)
        for have, want in zip(torch.jit.load(tmp_path / "ts/network.pt")(images), expected, strict=True):
            torch.testing.assert_close(have, want, rtol=1e-4, atol=1e-5)
        lungs = torch.jit.load(tmp_path / "ts/segmenter.pt")(images[:, None] / 255)
    torch.testing.assert_close(lungs[:, 0], expected.lung_probability, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_of_more_classes_gives_each(organs_bundle, tmp_path):
    export_bundle(open_bundle(str(organs_bundle)), tmp_path / "ts", "torchscript")
    image = torch.from_numpy(draw_xray(4)[0])[None]
    with torch.inference_mode():
        classes = torch.jit.load(tmp_path / "ts/segmenter.pt")(image[:, None] / 255)
        outputs = torch.jit.load(tmp_path / "ts/network.pt")(image)
    torch.testing.assert_close(outputs[-1], classes, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[0], classes[:, 1] + classes[:, 2], rtol=1e-4, atol=1e-5)


def test_onnx_export_is_the_graphs_of_the_bundle(bundle, tmp_path):
    export_bundle(bundle, tmp_path, "onnx")
    for name in (GRAPH, SEGMENTER):
        assert (tmp_path / name).read_bytes() == (bundle.folder / name).read_bytes()


def test_hub_folder_is_loaded_by_from_pretrained(bundle, tmp_path):
    folder = export_bundle(bundle, tmp_path / "hub", "hub")
    network = RadiographNetwork.from_pretrained(folder)
    image = draw_xray(3)[0]
    with torch.inference_mode():
        scores = network(torch.from_numpy(image)[None]).scores
    graph = InferenceSession(bundle.folder / GRAPH, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(scores, graph.run(["scores"], {"image": image[None]})[0], atol=1e-5)
    assert (folder / "README.md").read_text().startswith("---\nlicense: apache-2.0\n")


def test_segmenter_from_pretrained_gives_the_mask_of_the_graph(bundle):
    segmenter = LungSegmenter.from_pretrained(bundle.folder)
    image = draw_xray(4)[0][None, None] / np.float32(255)
    graph = InferenceSession(bundle.folder / SEGMENTER, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        np.testing.assert_allclose(segmenter(torch.from_numpy(image)), graph.run(None, {"image": image})[0], atol=1e-5)
    assert not segmenter.training


def test_images_of_torchxrayvision_are_prepared_as_the_file_is(bundle, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 72), np.uint8)
    cv2.imwrite(str(tmp_path / "image.png"), pixels)
    of_file = prepare_image(tmp_path / "image.png", bundle.config.preparation)
    xrv = (2 * (pixels / np.float32(255)) - 1) * 1024
    prepared = prepare_xrv(xrv[None, None], bundle.config.preparation)
    np.testing.assert_array_equal(prepared[0], of_file)


def test_values_beyond_those_of_torchxrayvision_are_refused(bundle):
    with pytest.raises(UsageError, match="images"):
        prepare_xrv(np.full((1, 64, 72), 4096.0), bundle.config.preparation)


def test_folder_that_holds_something_is_not_overwritten(bundle, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BundleError, match="exists already"):
        export_bundle(bundle, tmp_path, "onnx")


@pytest.mark.skipif(find_spec("jsonschema") is None, reason="jsonschema is not installed")
def test_metadata_without_a_key_of_a_tensor_is_not_what_monai_specifies(bundle, tmp_path):
    from jsonschema import ValidationError, validate

    export_bundle(bundle, tmp_path, "monai-bundle")
    metadata = json.loads((tmp_path / "configs/metadata.json").read_text())
    validate(metadata, SCHEMA)
    del metadata["network_data_format"]["outputs"]["pred"]["dtype"]
    with pytest.raises(ValidationError, match="'dtype' is a required property"):
        validate(metadata, SCHEMA)


def test_monai_bundle_states_what_the_network_takes_and_gives(bundle, tmp_path):
    export_bundle(bundle, tmp_path, "monai-bundle")
    metadata = json.loads((tmp_path / "configs/metadata.json").read_text())
    shapes = metadata["network_data_format"]
    assert shapes["inputs"]["image"]["spatial_shape"] == [64, 72]
    assert shapes["outputs"]["pred"]["channel_def"] == {"0": "lungs", "1": "background"}


TENSOR = {
    "type": {"type": "string"},
    "format": {"type": "string"},
    "modality": {"type": "string"},
    "num_channels": {"type": "integer"},
    "spatial_shape": {"type": "array", "items": {"type": ["integer", "string"]}},
    "dtype": {"type": "string"},
    "value_range": {"type": "array", "items": {"type": "number"}},
    "is_patch_data": {"type": "boolean"},
    "channel_def": {"type": "object", "additionalProperties": {"type": "string"}},
}
TENSORS = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "object", "properties": TENSOR, "required": list(TENSOR)},
}
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "name", "task", "description")
METADATA = {
    **{name: {"type": "string"} for name in (*TEXTS, "authors", "copyright")},
    **{
        name: {"type": "object", "additionalProperties": {"type": "string"}}
        for name in ("changelog", "required_packages_version")
    },
    "network_data_format": {
        "type": "object",
        "properties": {"inputs": TENSORS, "outputs": TENSORS},
        "required": ["inputs", "outputs"],
        "additionalProperties": False,
    },
}
SCHEMA = {"type": "object", "properties": METADATA, "required": list(METADATA), "additionalProperties": False}
"""What MONAI's bundle specification asks of metadata.json, and nothing besides."""


@pytest.mark.skipif(find_spec("monai") is None or find_spec("jsonschema") is None, reason="monai is not installed")
@pytest.mark.slow
def test_monai_verifies_the_metadata_against_a_schema_on_disk(bundle, tmp_path):
    export_bundle(bundle, tmp_path / "bundle", "monai-bundle")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))  # MONAI downloads it only where it is missing

    arguments = ["--meta_file", "configs/metadata.json", "--filepath", str(tmp_path / "schema.json")]
    monai = [sys.executable, "-W", "ignore", "-m", "monai.bundle"]
    subprocess.run([*monai, "verify_metadata", *arguments], cwd=tmp_path / "bundle", check=True)


@pytest.mark.skipif(find_spec("monai") is None or find_spec("ignite") is None, reason="monai is not installed")
@pytest.mark.slow
def test_monai_runs_the_bundle_and_gives_the_mask_of_the_graph(bundle, tmp_path):
    export_bundle(bundle, tmp_path, "monai-bundle")
    image = draw_xray(5)[0]
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/one.png"), image)
    monai = [sys.executable, "-W", "ignore", "-m", "monai.bundle"]
    config = ["--config_file", "configs/inference.json"]
    subprocess.run([*monai, "run", *config, "--bundle_root", "."], cwd=tmp_path, check=True)
    verify = [*monai, "verify_net_in_out", "network_def", "--meta_file", "configs/metadata.json"]
    subprocess.run([*verify, *config], cwd=tmp_path, check=True)
    mask = cv2.imread(str(tmp_path / "eval/one_lungs.png"), cv2.IMREAD_UNCHANGED)
    prepared = prepare_image(tmp_path / "images/one.png", bundle.config.preparation)
    graph = InferenceSession(bundle.folder / SEGMENTER, providers=["CPUExecutionProvider"])
    probability = graph.run(None, {"image": prepared[None, None] / np.float32(255)})[0][0, 0]
    np.testing.assert_array_equal(mask > 0, probability > 0.5)
