"""`cxrnet train segmenter`: from a manifest to a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cxrnet.data.folds import assign_folds, unite
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import SegmenterConfig
from cxrnet.plots.chart import png
from cxrnet.plots.history import draw_history
from cxrnet.training.config import SegmenterTraining
from cxrnet.training.dataset import digest, read_films
from cxrnet.training.provenance import write_data
from cxrnet.training.run import fit, open_run
from cxrnet.training.segmentation import SegmenterModule

HELD_OUT = 10
"""One in so many groups is held out for validation where the manifest has no split."""


def train_segmenter(
    manifest: Manifest,
    folder: Path,
    config: SegmenterTraining,
    *,
    resume: bool = False,
    start: Bundle | None = None,
    workers: int = 0,
    trainer_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train Module 1 on the film-mask pairs of a manifest into the run `folder`; return its result.

    Rows whose split is `train` are trained on and those whose split is `val` choose the best epoch; without any of
    `val` a tenth of the groups is held out.

    Args:
        manifest: The pairs.
        folder: The run.
        config: The training.
        resume: Whether the folder may hold the training to go on with.
        start: Bundle whose segmenter the training starts from; random weights if not given.
        workers: Processes that move films.
        trainer_options: Further options of Lightning's trainer.

    Raises:
        UsageError: No films, no masks, the folder holds another training, or `start` has another network.
        RadiographError: A film cannot be read.
    """
    train, validation = divide(manifest.samples, seed=config.seed)
    record = {
        "kind": "segmenter",
        "manifest": manifest.path.name,
        "films": {"train": len(train), "val": len(validation), "sha256": digest([*train, *validation])},
        "settings": config.model_dump(mode="json"),
    }
    if start is not None:
        record["start"] = {"name": start.config.name, "version": start.config.version, "sha256": start.sha256}
        if not have_same_weights(start.config.segmenter, config.segmenter):
            raise UsageError(f"{start.label}: has another network than the settings; give its `segmenter` in --config")
    open_run(folder, record, resume=resume)
    write_data(folder, manifest, {"train": train, "val": validation})
    films, held_out = (read_films(part, config.preparation, with_masks=True) for part in (train, validation))
    torch.manual_seed(config.seed)
    module = SegmenterModule(config, films, held_out, workers=workers)
    if start is not None:
        module.network.load_state_dict(load_network(start).segmenter.state_dict())
    return fit(
        module,
        folder,
        epochs=config.epochs,
        monitor="val_dice",
        is_better_higher=True,
        patience=config.patience,
        begins=config.epochs - config.phases[-1].epochs,
        draw=draw_curves,
        trainer_options=trainer_options,
    )


def have_same_weights(one: SegmenterConfig, other: SegmenterConfig) -> bool:
    """Return whether the weights of one network fit the other: all is alike but the output stride."""
    return one.model_copy(update={"output_stride": other.output_stride}) == other


def divide(samples: Sequence[Sample], *, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Return the samples to train on and those to validate with; rows of other splits are in neither.

    Where there is no split, or `train` alone (and `test`), a tenth of the groups is held out.

    Raises:
        UsageError: The split column names splits, but not `train`, or all films are of one group.
    """
    splits = {sample.split for sample in samples} - {""}
    if not splits or ("train" in splits and "val" not in splits):
        samples = [sample for sample in samples if not splits or sample.split == "train"]
        groups = int(unite(samples).max(initial=-1)) + 1
        if groups < 2:
            msg = f"manifest: {groups} group of films; one is trained on and another held out, so 2 or more are needed"
            raise UsageError(msg)
        held_out = assign_folds(samples, folds=min(HELD_OUT, groups), seed=seed) == 0
        pairs = list(zip(samples, held_out, strict=True))
        return [one for one, is_out in pairs if not is_out], [one for one, is_out in pairs if is_out]
    if not splits >= {"train", "val"}:
        raise UsageError(f"manifest: the split column has {', '.join(sorted(splits))}; it names no films to train on")
    return [one for one in samples if one.split == "train"], [one for one in samples if one.split == "val"]


def draw_curves(rows: list[dict[str, float]]) -> bytes:
    """Return loss and metric by epoch as PNG (paper Figs. 6 and 11b)."""
    names = [name for name in rows[-1] if name != "epoch"]
    history = {"epoch": [row["epoch"] for row in rows]}
    history |= {name: [row.get(name, np.nan) for row in rows] for name in names}
    return png(draw_history(history))
