"""Train the network of the gate on frontal radiographs and a folder of other images.

    python -m benchmarks.gate.pictures --out pictures
    python -m benchmarks.gate.train --manifest radiographs.csv --others pictures/train --out view.onnx

Needs cxrnet[train]. The graph goes into `src/cxrnet/models/view.onnx`, or into a bundle of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import onnx
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.gate.network import GateNetwork, GateOutput
from benchmarks.gate.synthetic_images import HALF, NOT_ASKED, Drawn, draw_image, means_of
from cxrnet.arrays import Float32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.check import require_sound
from cxrnet.data.folds import assign_folds
from cxrnet.data.manifest import Manifest, parse_where, read_manifest
from cxrnet.data.pack import build_pack
from cxrnet.errors import UsageError
from cxrnet.export.onnx import export_module
from cxrnet.model.config import NEW_PREPARATION
from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, METADATA, GateFacts
from cxrnet.model.record import Frozen, Positive
from cxrnet.training.dataset import ImageSet, digest

HELD_OUT = 8
"""One in so many groups of radiographs is held out: from them the limits are taken."""

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


class GateTraining(Frozen):
    """Training of the gate network.

    Attributes:
        epochs: Passes.
        draws: Pictures drawn in a pass.
        batch: Pictures in a step.
        learning_rate: Highest rate of the one cycle.
        refused: Part of the held-out radiographs that the limits may refuse.
        warned: Part of them that gets a warning, or is refused.
        seed: Of everything random.
    """

    epochs: Positive = 16
    draws: Positive = 4000
    batch: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    refused: Annotated[float, Field(ge=0, lt=1)] = 0.003
    warned: Annotated[float, Field(ge=0, lt=1)] = 0.01
    seed: Annotated[int, Field(ge=0)] = 0


class GateImages(Dataset[tuple[Tensor, int, int, int]]):
    """The pictures of one epoch."""

    def __init__(self, xrays: UInt8, others: list[UInt8], *, count: int, seed: int, epoch: int) -> None:
        self.xrays, self.others = xrays, others
        self.count, self.seed, self.epoch = count, seed, epoch

    def __len__(self) -> int:
        """Return how many there are."""
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int, int, int]:
        """Return what the network sees, float32 [1, rows, columns], and the answers."""
        drawn: Drawn = draw_image(self.xrays, self.others, seed=self.seed, epoch=self.epoch, index=index)
        return torch.from_numpy(drawn.means)[None], drawn.content, drawn.turn, drawn.inverted


def train_gate(
    manifest: Manifest, others: Path, out: Path, config: GateTraining, *, report: Callable[[str], None]
) -> GateFacts:
    """Train on the frontal radiographs of a manifest and the pictures in a folder, and write the graph to `out`.

    Rows whose split is `val` are not looked at. An eighth of the groups is held out; from it come the limits.

    Args:
        manifest: Frontal radiographs, upright, with bright bones.
        others: Folder with pictures of other things: PNG, JPEG, TIFF or BMP.
        out: The ONNX file; its metadata holds what is returned.
        config: The training.
        report: Takes a line of progress.

    Raises:
        RadiographError: A radiograph cannot be read.
        UsageError: There are no radiographs or no pictures.
    """
    unique = {sample.image: sample for sample in manifest.samples if sample.split != "val"}
    samples = list(unique.values())
    pack = build_pack(samples, NEW_PREPARATION, with_masks=False)
    require_sound(pack.problems, allow_leaks=False)
    whole = ImageSet.of(pack, NEW_PREPARATION).prepared
    xrays = np.stack([cv2.resize(xray, HALF[::-1], interpolation=cv2.INTER_AREA) for xray in whole])
    is_held_out = assign_folds(samples, folds=HELD_OUT, seed=config.seed) == 0
    network = _fit(xrays[~is_held_out], read_pictures(others), config, report)
    with torch.inference_mode():
        network.measure(_features(network, xrays[~is_held_out]))
        usual = network(torch.from_numpy(whole[is_held_out]))
    facts = GateFacts(
        limits=limits_of(usual.contents.numpy()[:, CONTENTS.index("frontal")], usual.distance.numpy(), config),
        images=len(samples),
        sha256=digest(samples),
        settings=config.model_dump(mode="json"),
    )
    write_atomic(out, export_gate(network, {METADATA: facts.model_dump_json()}))
    return facts


def export_gate(network: GateNetwork, metadata: Mapping[str, str]) -> bytes:
    """Return the ONNX model from `image` uint8 [batch, height, width] to the fields of `GateOutput`.

    Args:
        network: With its weights; put in evaluation mode.
        metadata: What the model states about itself, key to text.
    """
    image = torch.randint(0, 256, (2, *GATE_SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model = onnx.load_from_string(export_module(network, image, GateOutput._fields))
    onnx.helper.set_model_props(model, dict(metadata))
    return bytes(model.SerializeToString())


def limits_of(frontal: Float32, distance: Float32, config: GateTraining) -> dict[str, float]:
    """Return the limits that refuse and warn of the parts of held-out radiographs that the settings name.

    Args:
        frontal: Probability that a radiograph is a frontal chest, float32 [radiograph].
        distance: Of each radiograph, float32 [radiograph].
        config: The training.
    """
    return {
        "least_frontal": min(0.5, float(np.quantile(frontal, config.refused))),
        "doubted_frontal": min(0.9, float(np.quantile(frontal, config.warned))),
        "unlike": float(np.quantile(distance, 1 - config.warned)),
    }


def read_pictures(folder: Path) -> list[UInt8]:
    """Return the pictures of a folder in grey, uint8 [height, width] each, in the order of their names.

    Raises:
        UsageError: There are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    read = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths)
    pictures = [np.asarray(picture, np.uint8) for picture in read if picture is not None]
    if not pictures:
        msg = f"{folder}: holds no pictures; give a folder of PNG or JPEG files that are no chest radiographs"
        raise UsageError(msg)
    return pictures


def _fit(xrays: UInt8, others: list[UInt8], config: GateTraining, report: Callable[[str], None]) -> GateNetwork:
    torch.manual_seed(config.seed)
    network = GateNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=0.02)
    steps = config.epochs * -(-config.draws // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=max(steps + 1, 5))
    for epoch in range(config.epochs):
        network.train()
        total, right, seen = 0.0, 0, 0
        images = GateImages(xrays, others, count=config.draws, seed=config.seed, epoch=epoch)
        for means, content, turn, inverted in DataLoader(images, batch_size=config.batch):
            contents, turns, polarity = network.logits(network.features_of_means(means))
            loss = _loss(contents, turns, polarity, content, turn, inverted)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total, seen = total + loss.item() * len(means), seen + len(means)
            right += int((contents.argmax(dim=1) == content).sum())
        report(f"epoch {epoch}: loss {total / seen:.4f}, content right in {right / seen:.1%}")
    return network.eval()


def _loss(contents: Tensor, turns: Tensor, polarity: Tensor, content: Tensor, turn: Tensor, inverted: Tensor) -> Tensor:
    asked = turn != NOT_ASKED
    loss = functional.cross_entropy(contents, content)
    if asked.any():
        loss = loss + functional.cross_entropy(turns[asked], turn[asked])
        loss = loss + functional.binary_cross_entropy_with_logits(polarity[asked], inverted[asked].float())
    return loss


def _features(network: GateNetwork, xrays: UInt8) -> Tensor:
    means = torch.from_numpy(np.stack([means_of(xray) for xray in xrays]))[:, None]
    return torch.cat([network.features_of_means(part) for part in torch.split(means, 256)])


def main() -> int:
    """Train, and print the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, help="frontal radiographs, upright, with bright bones")
    parser.add_argument("--where", action="append", default=[], help="COLUMN=VALUE of the rows to use (repeatable)")
    parser.add_argument("--others", type=Path, required=True, help="folder of images that are no chest radiographs")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file of the network")
    parser.add_argument("--epochs", type=int, default=GateTraining().epochs)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    manifest = read_manifest(options.manifest, where=parse_where(options.where))
    config = GateTraining(epochs=options.epochs, seed=options.seed)
    facts = train_gate(manifest, options.others, options.out, config, report=lambda line: print(line, file=sys.stderr))
    limits = ", ".join(f"{name} {value:.3g}" for name, value in facts.limits.items())
    print(f"{options.out}: {facts.images} radiographs; limits {limits}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
