"""Training of one fold of Module 2 by Lightning (paper 3.2.1, Fig. 11b)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, Dataset

from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.errors import TrainingError
from cxrnet.nn.classifier import Fold
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.dataset import EpochOrder, seed_step
from cxrnet.training.features import Features
from cxrnet.training.losses import class_weights, weighted_cross_entropy
from cxrnet.training.module import TrainingModule, optimiser_of
from cxrnet.training.patient import PatientInputs

Inputs = Sequence[Tensor]
"""Features float32 [copy, channel, rows, columns] and patient data float32 [input], 0 inputs without; or of a batch."""


class FeatureSet(Dataset[tuple[Inputs, Tensor]]):
    """Inputs and labels of some `images`, int64 [n], asked for by (epoch, index); each epoch shows another copy.

    `copies` changed copies of an image are shown together, their patient data hidden at random; 0 shows the images as
    they are.
    """

    def __init__(
        self,
        features: Features,
        images: Int64,
        labels: Int64,
        *,
        copies: int,
        patient: PatientInputs | None = None,
    ) -> None:
        self._features, self._images, self._labels, self._copies = features, images, labels, copies
        self._patient = patient

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Inputs, Tensor]:
        """Return the inputs and int64 []."""
        epoch, index = key
        image = int(self._images[index])
        number = self._features.variants
        step = max(1, number // max(1, self._copies))
        originals = range(self._features.originals)
        changed = [len(originals) + (epoch + image + copy * step) % number for copy in range(self._copies)]
        variants = changed or list(originals)
        features = torch.stack([self._features.at(variant, image) for variant in variants])
        return (features, self._patient_data(epoch, image)), torch.tensor(self._labels[image])

    def _patient_data(self, epoch: int, image: int) -> Tensor:
        if self._patient is None:
            return torch.empty(0)
        return torch.from_numpy(self._patient.shown(epoch, image) if self._copies else self._patient.values[image])


class FoldModule(TrainingModule):
    """One fold of Module 2, its loss, its optimiser and its images.

    `features`, `labels`, `patient` and `names` are of all images; `train` and `validation`, int64, say which the fold
    is trained on and which are kept out. `draws`, float64 [n], is how likely each training image is drawn; None shows
    each once in an epoch.
    """

    config: ClassifierTraining

    def __init__(
        self,
        config: ClassifierTraining,
        features: Features,
        labels: Int64,
        train: Int64,
        validation: Int64,
        *,
        draws: Float64 | None = None,
        patient: PatientInputs | None = None,
        names: Sequence[str] = (),
    ) -> None:
        encoding = None if patient is None else patient.config
        network = Fold(config.classifier.model_copy(update={"patient": encoding}))
        super().__init__(network, [names[index] for index in train] if names else ())
        self.config, self.validation, self._draws, self._patient = config, validation, draws, patient
        self._train = FeatureSet(features, train, labels, copies=2 if config.consistency else 1, patient=patient)
        self._held_out = FeatureSet(features, validation, labels, copies=0, patient=patient)
        counts = torch.from_numpy(np.bincount(labels[train], minlength=len(config.classifier.classes)))
        self.register_buffer("_weights", class_weights(counts) if config.balance == "class" else None)

    @property
    def takes_patient_data(self) -> bool:
        """Whether patient data are an input."""
        return self._patient is not None

    def train_dataloader(self) -> DataLoader[tuple[Inputs, Tensor]]:
        """Return the images of this epoch; asked for again in every epoch."""
        config = self.config
        order = self.epoch_order(len(self._train), config.batch, draws=self._draws, number=config.draws)
        return DataLoader(self._train, batch_size=config.batch, sampler=order)

    def val_dataloader(self) -> DataLoader[tuple[Inputs, Tensor]]:
        """Return the images that were kept out, as they are."""
        order = EpochOrder(len(self._held_out), seed=0, epoch=0, is_shuffled=False)
        return DataLoader(self._held_out, batch_size=32, sampler=order)

    def recompute_batch_norm(self) -> None:
        """Compute the batch-norm statistics again with the weights as they are; the same each time it is done."""
        seed, epoch = self.config.seed, self.config.epochs
        order = EpochOrder(len(self._train), seed=seed, epoch=epoch, draws=self._draws, number=self.config.draws)
        seed_step(seed, epoch)
        update_bn(DataLoader(self._train, batch_size=self.config.batch, sampler=order), self)
        self.eval()

    def held_out_logits(self, *, hides_patient: bool = False) -> Float32:
        """Return the logits of the images that were kept out, float32 [image, class], with or without patient data."""
        self.eval()
        hidden = torch.from_numpy(self._patient.missing) if hides_patient and self._patient else None
        logits = []
        with torch.inference_mode():
            for (features, patient), _ in self.val_dataloader():
                given = patient if hidden is None else hidden.expand_as(patient)
                logits.append(self((features, given)).mean(dim=1))
            found = torch.cat(logits)
        if not bool(found.isfinite().all()):
            raise TrainingError(
                "training: scores of held-out images are not finite; lower optimiser.learning_rate "
                f"({self.config.optimiser.learning_rate:g}) in --config, and start again in another folder"
            )
        return found.numpy()

    def forward(self, inputs: Inputs) -> Tensor:
        """Return logits, float [batch, copy, class], of the inputs of a batch; all copies share the patient data."""
        features, patient = inputs
        flat = features.flatten(0, 1)
        data = None if self._patient is None else patient.repeat_interleave(features.shape[1], dim=0)
        logits: Tensor = self.network(flat[:, :-2], flat[:, -2], image=flat[:, -1], patient=data).logits
        return logits.view(*features.shape[:2], -1)

    def training_loss(self, images: Any, truth: Tensor) -> Tensor:
        """Return the loss of a batch, float [], and log it."""
        return self._log_step("train", self(images), truth)

    def validation_step(self, batch: tuple[Inputs, Tensor], _: int) -> None:
        """Log loss and accuracy of images that were kept out."""
        inputs, labels = batch
        self._log_step("val", self(inputs).mean(dim=1, keepdim=True), labels)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and the schedule if it has one."""
        shown = len(self._train) if self._draws is None else self.config.draws or len(self._train)
        steps = self.config.epochs * -(-shown // (self.config.batch * self.trainer.world_size))
        return optimiser_of(self.config.optimiser, self.network, steps)

    def _log_step(self, part: str, logits: Tensor, labels: Tensor) -> Tensor:
        weights: Tensor | None = self._weights  # type: ignore[assignment]
        every = labels.repeat_interleave(logits.shape[1])
        loss = weighted_cross_entropy(logits.flatten(0, 1), every, weights=weights)
        if logits.shape[1] > 1:
            loss = loss + self.config.consistency * disagreement(logits)
        self.log_mean(f"{part}_loss", loss, len(labels))
        self.log_mean(f"{part}_accuracy", (logits.flatten(0, 1).argmax(dim=1) == every).float().mean(), len(labels))
        return loss


def disagreement(logits: Tensor) -> Tensor:
    """Return how far copies of an image differ: mean squared difference of centred logits [batch, copy, class]."""
    centred = logits - logits.mean(dim=2, keepdim=True)
    return (centred - centred.mean(dim=1, keepdim=True)).square().sum(dim=2).mean()
