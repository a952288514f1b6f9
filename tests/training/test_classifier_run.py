"""A classifier that starts from the folds of a bundle."""

import json

import pytest
import torch
from safetensors.torch import load_file

from cxrnet.data.manifest import read_manifest
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import read_bundle
from cxrnet.training.classifier_run import train_classifier
from cxrnet.training.config import ClassifierTraining, Optimiser
from tests.data.conftest import write_rows, write_xray


@pytest.fixture
def start(small_bundle):
    return read_bundle(small_bundle)


def labelled(folder, classes):
    """A manifest of four images of each class, each of a patient of its own."""
    rows = []
    for seed in range(4 * len(classes)):
        write_xray(folder / f"{seed}.png", seed, height=64, width=72)
        rows.append({"image": f"{seed}.png", "label": classes[seed % len(classes)], "patient_id": f"p{seed}"})
    write_rows(folder / "images.csv", rows)
    return read_manifest(folder / "images.csv")


def training(start, **classifier):
    return ClassifierTraining(
        classifier=start.config.classifier.model_copy(update=classifier),
        preparation=start.config.preparation,
        optimiser=Optimiser(learning_rate=1e-9),
        epochs=1,
        batch=4,
        variants=1,
        folds=start.config.folds,
        settles=False,
    )


def weights(start, folder, number):
    """Parameters of a fold that has started from a bundle: name -> (in the bundle, after the training)."""
    ended, started = (
        load_file(folder / f"fold{number}" / "last.safetensors"),
        load_network(start).ensemble.folds[number],
    )
    return {name: (value.detach(), ended[name]) for name, value in started.named_parameters()}


def test_folds_start_from_those_of_a_bundle(start, tmp_path):
    config, folder = training(start), tmp_path / "run"
    train_classifier(labelled(tmp_path, ("covid", "non-covid")), folder, config, start, start=start)
    for number in range(2):
        for before, after in weights(start, folder, number).values():
            torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    assert json.loads((folder / "training.json").read_bytes())["start"] == start.identity


def test_layers_of_other_classes_start_from_random_weights(start, tmp_path):
    classes = ("a", "b", "c")
    train_classifier(
        labelled(tmp_path, classes), tmp_path / "run", training(start, classes=classes), start, start=start, only=[0]
    )
    pairs = weights(start, tmp_path / "run", 0)
    others = {name for name, (before, after) in pairs.items() if before.shape != after.shape}
    assert others
    assert all(name.startswith(f"blocks.{start.config.classifier.blocks - 1}.") for name in others)
    for before, after in (pair for name, pair in pairs.items() if name not in others):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6)


def test_bundle_of_another_network_or_of_other_folds_is_refused(start, tmp_path):
    data = labelled(tmp_path, ("covid", "non-covid"))
    other = training(start, filters=start.config.classifier.filters + 1)
    with pytest.raises(UsageError, match=r"small 0\.1.*: has another classifier"):
        train_classifier(data, tmp_path / "run", other, start, start=start)
    with pytest.raises(UsageError, match=r"small 0\.1.*: has 2 folds, the training 3"):
        train_classifier(data, tmp_path / "run", training(start).model_copy(update={"folds": 3}), start, start=start)
