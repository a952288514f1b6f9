from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from cxrnet.data.manifest import read_manifest
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import read_bundle
from cxrnet.training.config import Optimiser, Phase, SegmenterTraining
from cxrnet.training.segmenter_run import train_segmenter


@pytest.fixture
def start(small_bundle):
    return read_bundle(small_bundle)


def training(start, **network):
    return SegmenterTraining(
        segmenter=start.config.segmenter.model_copy(update=network),
        preparation=start.config.preparation,
        optimiser=Optimiser(learning_rate=1e-9),
        phases=(Phase(epochs=1),),
    )


@pytest.mark.parametrize("output_stride", [1, 2])
def test_training_starts_from_the_weights_of_a_bundle_at_any_output_stride(start, manifest, tmp_path, output_stride):
    config = training(start, output_stride=output_stride)
    train_segmenter(read_manifest(manifest), tmp_path / "run", config, start=start)
    ended, begun = load_file(tmp_path / "run" / "last.safetensors"), load_network(start).segmenter
    for name, value in begun.named_parameters():
        torch.testing.assert_close(ended[name], value.detach(), rtol=0, atol=1e-6)
    named = json.loads((tmp_path / "run" / "training.json").read_bytes())["start"]
    assert named == {"name": "small", "version": "0.1", "sha256": start.sha256}


def test_start_with_another_network_is_refused(start, manifest, tmp_path):
    config = training(start, filters=start.config.segmenter.filters + 1)
    with pytest.raises(UsageError, match=r"small 0\.1.*: has another network"):
        train_segmenter(read_manifest(manifest), tmp_path / "run", config, start=start)
