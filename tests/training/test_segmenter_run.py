import json

import cv2
import pytest
import torch
from safetensors.torch import load_file

from cxrnet.data.manifest import read_manifest
from cxrnet.data.mask_values import parse_mask_values
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import read_bundle
from cxrnet.training.config import Optimiser, Phase, SegmenterTraining
from cxrnet.training.preflight import RunOptions
from cxrnet.training.segmenter_run import train_segmenter
from tests.material import CLASSES, label_map


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
    ended, started = load_file(tmp_path / "run" / "last.safetensors"), load_network(start).segmenter
    for name, value in started.named_parameters():
        torch.testing.assert_close(ended[name], value.detach(), rtol=0, atol=1e-6)
    named = json.loads((tmp_path / "run" / "training.json").read_bytes())["start"]
    assert named == {"name": "small", "version": "0.1", "sha256": start.sha256}


def test_start_with_another_network_is_refused(start, manifest, tmp_path):
    config = training(start, filters=start.config.segmenter.filters + 1)
    with pytest.raises(UsageError, match=r"small 0\.1.*: has another network"):
        train_segmenter(read_manifest(manifest), tmp_path / "run", config, start=start)


def of_classes(start, **network):
    return training(start, classes=CLASSES, **network)


@pytest.fixture
def maps(manifest):
    """The manifest of the made-up radiographs, their masks replaced by label maps."""
    for path in manifest.parent.glob("*m.png"):
        cv2.imwrite(str(path), label_map(cv2.imread(str(path), 0) > 0))
    return manifest


def test_training_of_several_classes_starts_from_the_lungs_of_a_bundle(start, maps, tmp_path):
    result = train_segmenter(read_manifest(maps), tmp_path / "run", of_classes(start), start=start)
    ended, started = load_file(tmp_path / "run" / "last.safetensors"), load_network(start).segmenter.state_dict()
    for own, other in enumerate((1, 0, 0)):  # background, and each lung from the lungs
        torch.testing.assert_close(ended["head.weight"][own], started["head.weight"][other], rtol=0, atol=1e-6)
    torch.testing.assert_close(
        ended["blocks.0.shortcut.weight"], started["blocks.0.shortcut.weight"], rtol=0, atol=1e-6
    )
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    row = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
    dice = [float(row[f"val_dice_{name}"]) for name in ("right_lung", "left_lung", "heart")]
    assert result["val_dice"] == float(row["val_dice"]) == pytest.approx(sum(dice) / 3, abs=1e-6)
    assert (tmp_path / "run" / "curves.png").is_file()


def test_masks_without_a_class_are_refused(start, maps, tmp_path):
    values = parse_mask_values("right lung=1,left lung=2,heart=9", "3")
    with pytest.raises(UsageError, match=r"none of the \d+ masks of train has a heart"):
        train_segmenter(read_manifest(maps), tmp_path / "run", of_classes(start), options=RunOptions(values=values))


def test_values_of_other_classes_are_refused(start, maps, tmp_path):
    with pytest.raises(UsageError, match="names background, right lung, left lung, and the segmenter has background,"):
        train_segmenter(
            read_manifest(maps),
            tmp_path / "run",
            of_classes(start),
            options=RunOptions(values=parse_mask_values("right lung=1,left lung=2", None)),
        )
