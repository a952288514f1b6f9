"""`cxrnet train segmenter`: from a manifest to a run folder."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cxrnet.arrays import Bool
from cxrnet.data.check import check_rows, require_sound
from cxrnet.data.folds import assign_folds, group_ids
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.data.mask_values import values_for
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import SegmenterConfig
from cxrnet.model.segmenter_classes import LUNG_CLASSES, has_label_maps
from cxrnet.nn.segmenter import Segmenter
from cxrnet.plots.chart import png
from cxrnet.plots.history import draw_history
from cxrnet.training.config import SegmenterTraining
from cxrnet.training.dataset import ImageSet, digest
from cxrnet.training.fit import fit
from cxrnet.training.preflight import ReadData, RunOptions, Say, check_data, choose_rows, read_data, start_run
from cxrnet.training.run import lock_run, require_resume
from cxrnet.training.segmentation import SegmenterModule

HELD_OUT = 10
"""One in this number of groups is held out for validation where the manifest has no split."""


def train_segmenter(
    manifest: Manifest,
    folder: Path,
    config: SegmenterTraining,
    *,
    start: Bundle | None = None,
    workers: int = 0,
    options: RunOptions | None = None,
) -> dict[str, Any]:
    """Train Module 1 on the image-mask pairs of a manifest into the run `folder`; return its result.

    Rows whose split is `train` are trained on and those whose split is `val` choose the best epoch; without any of
    `val` a tenth of the groups is held out. Rows of `test` are not read.
    """
    options = options or RunOptions()
    network = config.segmenter
    options = replace(options, values=values_for(options.values, network.classes))
    if start is not None:
        require_start(network, start)
    require_resume(folder, resume=options.resume, settings=config.model_dump(mode="json"))
    samples = choose_rows(manifest.samples, options.say)
    _require_two_groups(samples)
    require_sound(check_rows(manifest.samples), allow_leaks=options.allow_leaks)
    with lock_run(folder):
        data = read_data(samples, folder, config.preparation, options, with_masks=True)
        is_held_out = _hold_out(data, seed=config.seed, say=options.say)
        names = ["val" if is_out else "train" for is_out in is_held_out]
        accepted = check_data(manifest, data, names, options, what="split")
        _require_classes(data, is_held_out, network.classes)
        pairs = list(zip(samples, names, strict=True))
        parts = {part: [sample for sample, name in pairs if name == part] for part in ("train", "val")}
        record = {
            "kind": "segmenter",
            "manifest": manifest.path.name,
            "films": {
                **{part: len(members) for part, members in parts.items()},
                "sha256": digest([*parts["train"], *parts["val"]]),
            },
            "settings": config.model_dump(mode="json"),
            "masks": asdict(options.values),
        }
        if start is not None:
            record["start"] = start.identity
        start_run(folder, record, data, manifest, parts, accepted, resume=options.resume)
        torch.manual_seed(config.seed)
        module = SegmenterModule(
            config,
            ImageSet.of(data.pack, config.preparation, ~is_held_out, classes=network.classes),
            ImageSet.of(data.pack, config.preparation, is_held_out, classes=network.classes),
            workers=workers,
            names=[sample.image.name for sample in parts["train"]],
        )
        if start is not None:
            take_weights(module.network, load_network(start).segmenter)
        return fit(
            module,
            folder,
            epochs=config.epochs,
            monitor="val_dice",
            is_better_higher=True,
            patience=config.patience,
            begins=config.epochs - config.phases[-1].epochs,
            draw=draw_curves,
            trainer_options=options.trainer,
        )


def _require_two_groups(samples: Sequence[Sample]) -> None:
    splits = {sample.split for sample in samples} - {""}
    if "val" in splits and "train" not in splits:
        raise UsageError(f"manifest: the split column has {', '.join(sorted(splits))}; it names no images to train on")
    if "val" not in splits and int(group_ids(samples).max(initial=-1)) < 1:
        raise UsageError("manifest: 1 group of images; one is trained on and another held out, so 2 or more are needed")


def _hold_out(data: ReadData, *, seed: int, say: Say) -> Bool:
    """Which images choose the best epoch, bool [image]: the split `val`, else a tenth of the groups."""
    is_held_out = np.array([sample.split == "val" for sample in data.samples])
    if is_held_out.any():
        others = f"{np.sum(~is_held_out)} rows of the split train are trained on"
        say(f"{others}, {is_held_out.sum()} of the split val choose the best epoch")
        return is_held_out
    groups = int(group_ids(data.samples, data.duplicates).max(initial=-1)) + 1
    folds = assign_folds(data.samples, folds=min(HELD_OUT, groups), seed=seed, duplicates=data.duplicates)
    is_held_out = np.asarray(folds == 0)
    say(f"no split val: {is_held_out.sum()} of {len(folds)} rows, whole groups, choose the best epoch")
    return is_held_out


def _require_classes(data: ReadData, is_held_out: Bool, classes: Sequence[str]) -> None:
    assert data.pack.masks is not None
    names = classes[1:] if has_label_maps(classes) else ("lung",)
    for index, name in enumerate(names, start=1):
        if has_label_maps(classes):
            has_class = np.array([bool((mask == index).any()) for mask in data.pack.masks])
        else:
            has_class = np.array([bool((mask > 127).any()) for mask in data.pack.masks])
        for part, chosen in (("train", ~is_held_out), ("val", is_held_out)):
            if not has_class[chosen].any():
                masks = f"none of the {chosen.sum()} masks of {part} has a {name}"
                raise UsageError(f"manifest: {masks}; see `cxrnet data check`")


def require_start(network: SegmenterConfig, start: Bundle) -> None:
    """Check that a training can start from the segmenter of a bundle: sizes are the same, classes may differ."""
    own = start.config.segmenter
    if network != own.model_copy(update={"output_stride": network.output_stride, "classes": network.classes}):
        raise UsageError(f"{start.label}: has another network than the settings; give its `segmenter` in --config")
    if network.classes != own.classes and network.recurrent_blocks:
        raise UsageError(f"{start.label}: has other classes, which recurrent blocks cannot take over; leave them out")


def take_weights(network: Segmenter, start: Segmenter) -> None:
    """Copy the weights of another segmenter; of other classes those that it knows, lungs on both sides.

    A class that it does not know keeps the random weights of its output channel.
    """
    state, old = start.state_dict(), list(start.config.classes)
    if network.config.classes != start.config.classes:
        own = network.state_dict()
        lungs = [name for name in old if name in LUNG_CLASSES][:1]
        for place, name in enumerate(network.config.classes):
            known = [name] if name in old else lungs if name in LUNG_CLASSES else []
            for each in known:
                for tensor in ("head.weight", "head.bias"):
                    own[tensor][place] = state[tensor][old.index(each)]
        state = {**state, "head.weight": own["head.weight"], "head.bias": own["head.bias"]}
    network.load_state_dict(state)


def draw_curves(rows: list[dict[str, float]]) -> bytes:
    """Return loss and metric by epoch as PNG (paper Figs. 6 and 11b)."""
    return png(draw_history({name: [row.get(name, np.nan) for row in rows] for name in ("epoch", *rows[-1])}))
