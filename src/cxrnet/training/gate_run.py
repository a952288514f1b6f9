"""`cxrnet train gate`: the view network of the gate, from frontal films and a folder of other pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from cxrnet.arrays import Float32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.folds import assign_folds
from cxrnet.data.manifest import Manifest
from cxrnet.errors import UsageError
from cxrnet.export.onnx import export_gate
from cxrnet.model.config import NEW_PREPARATION, Frozen, Positive
from cxrnet.model.gate_runtime import CONTENTS, METADATA, GateFacts
from cxrnet.nn.gate_network import GateNetwork
from cxrnet.training.dataset import digest, read_films
from cxrnet.training.synthetic_images import HALF, NOT_ASKED, Drawn, draw_view, means_of

HELD_OUT = 8
"""One in so many groups of films is held out: from them the limits are taken."""

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


class GateTraining(Frozen):
    """Training of the view network.

    Attributes:
        epochs: Passes.
        draws: Pictures drawn in a pass.
        batch: Pictures in a step.
        learning_rate: Highest rate of the one cycle.
        refused: Part of the held-out films that the limits may refuse.
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


class Views(Dataset[tuple[Tensor, int, int, int]]):
    """The pictures of one epoch."""

    def __init__(self, films: UInt8, others: list[UInt8], *, count: int, seed: int, epoch: int) -> None:
        self.films, self.others = films, others
        self.count, self.seed, self.epoch = count, seed, epoch

    def __len__(self) -> int:
        """Return how many there are."""
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int, int, int]:
        """Return what the network sees, float32 [1, rows, columns], and the answers."""
        drawn: Drawn = draw_view(self.films, self.others, seed=self.seed, epoch=self.epoch, index=index)
        return torch.from_numpy(drawn.means)[None], drawn.content, drawn.turn, drawn.inverted


def train_gate(
    manifest: Manifest, others: Path, out: Path, config: GateTraining, *, tell: Callable[[str], None]
) -> GateFacts:
    """Train on the frontal films of a manifest and the pictures in a folder, and write the graph to `out`.

    Rows whose split is `val` are not looked at. An eighth of the groups is held out; from it come the limits.

    Args:
        manifest: Frontal films, upright, with bright bones.
        others: Folder with pictures of other things: PNG, JPEG, TIFF or BMP.
        out: The ONNX file; its metadata holds what is returned.
        config: The training.
        tell: Takes a line of progress.

    Raises:
        RadiographError: A film cannot be read.
        UsageError: There are no films or no pictures.
    """
    unique = {sample.image: sample for sample in manifest.samples if sample.split != "val"}
    samples = list(unique.values())
    whole = read_films(samples, NEW_PREPARATION, with_masks=False).prepared
    films = np.stack([cv2.resize(film, HALF[::-1], interpolation=cv2.INTER_AREA) for film in whole])
    is_held_out = assign_folds(samples, folds=HELD_OUT, seed=config.seed) == 0
    network = _fit(films[~is_held_out], read_pictures(others), config, tell)
    with torch.inference_mode():
        network.measure(_features(network, films[~is_held_out]))
        usual = network(torch.from_numpy(whole[is_held_out]))
    facts = GateFacts(
        limits=limits_of(usual.contents.numpy()[:, CONTENTS.index("frontal")], usual.distance.numpy(), config),
        films=len(samples),
        sha256=digest(samples),
        settings=config.model_dump(mode="json"),
    )
    write_atomic(out, export_gate(network, {METADATA: facts.model_dump_json()}))
    return facts


def limits_of(frontal: Float32, distance: Float32, config: GateTraining) -> dict[str, float]:
    """Return the limits that refuse and warn of the parts of held-out films that the settings name.

    Args:
        frontal: Probability that a film is a frontal chest, float32 [film].
        distance: Of each film, float32 [film].
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


def _fit(films: UInt8, others: list[UInt8], config: GateTraining, tell: Callable[[str], None]) -> GateNetwork:
    torch.manual_seed(config.seed)
    network = GateNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=0.02)
    steps = config.epochs * -(-config.draws // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=max(steps + 1, 5))
    for epoch in range(config.epochs):
        network.train()
        total, right, seen = 0.0, 0, 0
        views = Views(films, others, count=config.draws, seed=config.seed, epoch=epoch)
        for means, content, turn, inverted in DataLoader(views, batch_size=config.batch):
            contents, turns, polarity = network.logits(network.features_of_means(means))
            loss = _loss(contents, turns, polarity, content, turn, inverted)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total, seen = total + loss.item() * len(means), seen + len(means)
            right += int((contents.argmax(dim=1) == content).sum())
        tell(f"epoch {epoch}: loss {total / seen:.4f}, content right in {right / seen:.1%}")
    return network.eval()


def _loss(contents: Tensor, turns: Tensor, polarity: Tensor, content: Tensor, turn: Tensor, inverted: Tensor) -> Tensor:
    asked = turn != NOT_ASKED
    loss = functional.cross_entropy(contents, content)
    if asked.any():
        loss = loss + functional.cross_entropy(turns[asked], turn[asked])
        loss = loss + functional.binary_cross_entropy_with_logits(polarity[asked], inverted[asked].float())
    return loss


def _features(network: GateNetwork, films: UInt8) -> Tensor:
    means = torch.from_numpy(np.stack([means_of(film) for film in films]))[:, None]
    return torch.cat([network.features_of_means(part) for part in torch.split(means, 256)])
