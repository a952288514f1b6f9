"""Tiny trainings on made-up radiographs, in memory."""

import numpy as np
import pytest
import torch

from cxrnet.model.config import ClassifierConfig, PreparationConfig, SegmenterConfig
from cxrnet.training.classification import FoldModule
from cxrnet.training.config import ClassifierTraining, Phase, SegmenterTraining
from cxrnet.training.dataset import ImageSet
from cxrnet.training.features import Features
from cxrnet.training.fit import fit
from cxrnet.training.segmentation import SegmenterModule
from tests.data.conftest import write_mask, write_rows, write_xray
from tests.material import draw_xray

TINY = SegmenterTraining(
    segmenter=SegmenterConfig(filters=4, blocks=2, dropout=0.2),
    preparation=PreparationConfig(height=64, width=72),
    phases=(Phase(epochs=2, batch=4, scale=0.5), Phase(epochs=2, batch=3, crop=(40, 48))),
)
TINY_FOLD = ClassifierTraining(
    classifier=ClassifierConfig(filters=4, blocks=2, dropout=0.2),
    preparation=PreparationConfig(height=64, width=72),
    variants=3,
    epochs=4,
    batch=3,
    folds=2,
)


@pytest.fixture(autouse=True)
def one_thread(exported_once):
    """PyTorch on one thread for exact sums, and its generator as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def drawn(number, *, first=0):
    """Return so many made-up radiographs with their masks."""
    pairs = [draw_xray(seed) for seed in range(first, first + number)]
    return ImageSet(
        images=np.stack([image for image, _ in pairs]),
        masks=np.stack([mask * np.uint8(255) for _, mask in pairs]),
    )


def segmenter_module(config=TINY, *, xrays=8, workers=0):
    torch.manual_seed(config.seed)
    return SegmenterModule(config, drawn(xrays), drawn(2, first=50), workers=workers)


def train_segmenter_in(folder, config=TINY, *, module=None, xrays=8, workers=0, **options):
    """Train a segmenter in `folder` as `train_segmenter` does, without files of radiographs."""
    return fit(
        module or segmenter_module(config, xrays=xrays, workers=workers),
        folder,
        epochs=config.epochs,
        monitor="val_dice",
        is_better_higher=True,
        patience=config.patience,
        begins=config.epochs - config.phases[-1].epochs,
        draw=None,
        trainer_options=options,
    )


def fold_module(config=TINY_FOLD, **more):
    chance = np.random.default_rng(0)
    values = chance.uniform(0, 1, (config.variants + 1, 10, 51, 16, 18)).astype(np.float16)
    labels = np.arange(10) % 2
    torch.manual_seed(config.seed)
    return FoldModule(config, Features(values=values), labels, np.arange(7), np.arange(7, 10), **more)


def train_fold_in(folder, config=TINY_FOLD, *, module=None, draw=None, **options):
    """Train a fold in `folder` as `train_fold` does, on features made up."""
    return fit(
        module or fold_module(config),
        folder,
        epochs=config.epochs,
        monitor="val_loss",
        is_better_higher=False,
        patience=config.patience,
        draw=draw,
        trainer_options=options,
    )


@pytest.fixture
def manifest(tmp_path):
    """Path of a manifest of 12 made-up radiographs of 12 patients, with masks and labels."""
    rows = []
    for seed in range(12):
        write_mask(tmp_path / f"{seed}m.png", write_xray(tmp_path / f"{seed}.png", seed, height=64, width=72))
        label = ("covid", "non-covid")[seed % 2]
        rows.append({"image": f"{seed}.png", "mask": f"{seed}m.png", "label": label, "patient_id": f"p{seed}"})
    return write_rows(tmp_path / "xrays.csv", rows)
