"""How a network is trained: records read from YAML, with the paper's settings and better ones as presets."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from cxrnet.data.acquisition import ACQUISITIONS, Acquisition
from cxrnet.data.augment import AUGMENTATIONS, Augmentation
from cxrnet.errors import UsageError
from cxrnet.model.config import (
    NEW_PREPARATION,
    AlignmentConfig,
    ClassifierConfig,
    LungMaskConfig,
    PoolingConfig,
    PreparationConfig,
    SegmenterConfig,
)
from cxrnet.model.record import Frozen, Width
from cxrnet.model.segmenter_classes import swapped_sides
from cxrnet.training.settings_file import read_fields

Rate = Annotated[float, Field(gt=0, le=1e6)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Batch = Annotated[int, Field(ge=1, le=4096)]
Side = Annotated[int, Field(ge=32, le=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]

_MAX_SHOWN = 60
"""Characters of a value in a message."""


class Optimiser(Frozen):
    """The optimiser and its learning rate.

    Attributes:
        name: `adam` or `adamw`.
        learning_rate: Highest rate.
        amsgrad: Keep the largest second moment.
        weight_decay: Of `adamw`.
        schedule: `constant`, or `one-cycle`: up to the rate in a quarter of the steps, then down to nothing.
    """

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: Rate = 1e-2
    amsgrad: bool = False
    weight_decay: Weight = 1e-4
    schedule: Literal["constant", "one-cycle"] = "one-cycle"


class Phase(Frozen):
    """Some epochs at one size: images scaled by `scale`, and a random crop of `crop` (height, width) or the whole."""

    epochs: Epochs
    batch: Batch = 8
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    crop: tuple[Side, Side] | None = None


Phases = Annotated[tuple[Phase, ...], Field(min_length=1, max_length=64)]


class SegmenterTraining(Frozen):
    """Training of Module 1.

    Attributes:
        segmenter: The network.
        preparation: How images are prepared.
        loss: Which loss (paper: weighted-tanimoto).
        augmentation: How images are moved; None leaves them.
        acquisition: How noise, sharpness, contrast, compression, borders and markers are changed.
        optimiser: The optimiser.
        phases: Sizes in their order; the epochs of all are the epochs of the training. Each epoch is validated at its
            scale, and only those of the last phase can be the best.
        patience: Epochs without a better validation Dice after which it stops; None never stops early.
        seed: Of everything random.
    """

    segmenter: SegmenterConfig = SegmenterConfig()
    preparation: PreparationConfig = NEW_PREPARATION
    loss: Literal["weighted-tanimoto", "tanimoto", "dice"] = "weighted-tanimoto"
    augmentation: Augmentation = AUGMENTATIONS["plausible"]
    acquisition: Acquisition = ACQUISITIONS["none"]
    optimiser: Optimiser = Optimiser()
    phases: Phases = (Phase(epochs=20, scale=0.5), Phase(epochs=5, batch=4))
    patience: Epochs | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_both_sides(self) -> Self:
        if self.augmentation.mirrors_sides or self.augmentation.mirrors_upside_down:
            swapped_sides(self.segmenter.classes)
        return self

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def phase_at(self, epoch: int) -> Phase:
        """Return the phase of an epoch, counted from 0; beyond the end that of the last."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        return self.phases[-1]


def _kinds(columns: object) -> object:
    """A list of columns, each NAME or NAME=KIND, as column -> kind."""
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        return columns
    kinds = {name: kind or "auto" for name, _, kind in (one.partition("=") for one in columns)}
    if len(kinds) < len(columns):
        raise ValueError(f"columns are {', '.join(columns)}; name each once")
    return kinds


class PatientTraining(Frozen):
    """Patient data as a third input of Module 2 (paper 4).

    Attributes:
        columns: Column of the manifest -> `number`, `category`, or `auto`, by what the column holds; or a list of names
            and NAME=KIND.
        hidden: Width of the dense layer.
        hide: Probability with which each value of an image is hidden in an epoch, as if it were missing, and with which
            all of them are.
    """

    columns: Annotated[dict[str, Literal["auto", "number", "category"]], Field(min_length=1), BeforeValidator(_kinds)]
    hidden: Width = 8
    hide: Annotated[float, Field(ge=0, lt=1)] = 0.2


class ClassifierTraining(Frozen):
    """Training of one fold of Module 2.

    Attributes:
        classifier: The network.
        preparation: How images are prepared.
        lung_mask: What happens to the lung probability before Module 2.
        augmentation: How images are moved.
        acquisition: How noise, sharpness, contrast, compression, borders and markers of the copies are changed.
        variants: Augmented copies of each image that are made once, with their lung masks and scattering
            coefficients, and shown in turn; the copies do not depend on the weights.
        consistency: Weight of the mean squared difference between the logits of two copies of one image, which are
            then shown side by side; 0 shows one copy.
        optimiser: The optimiser.
        epochs: Passes over the images.
        batch: Images in a step.
        balance: `class` weighs rare classes more in the loss, so that all weigh alike. `source` draws the images of an
            epoch instead, so that neither class nor, in part, source shows in how often it is seen: see
            `training.balance`. `none` takes the images as they are.
        mixed_share: With `source`, share of the draws that come from sources with images of every class.
        draws: With `source`, images drawn in an epoch; None draws as many as there are.
        lungs: `kept`, or `blacked-out` for a control: the lungs are covered, and the class maps look at the rest. What
            such a training reaches comes from everything but the lungs.
        patient: Patient data as a third input; None takes the image alone.
        folds: Folds of the cross-validation.
        patience: Epochs without a lower validation loss after which it stops; None never stops early.
        settles: Whether the batch-norm statistics are recomputed at the end, with the last weights, over the images of
            one epoch. Running statistics need some 300 steps, and lag behind the weights.
        seed: Of everything random.
    """

    classifier: ClassifierConfig = ClassifierConfig()
    preparation: PreparationConfig = NEW_PREPARATION
    lung_mask: LungMaskConfig = LungMaskConfig()
    augmentation: Augmentation = AUGMENTATIONS["plausible"]
    acquisition: Acquisition = ACQUISITIONS["none"]
    variants: Annotated[int, Field(ge=1, le=1000)] = 8
    consistency: Weight = 0.0
    optimiser: Optimiser = Optimiser(learning_rate=5e-3)
    epochs: Epochs = 40
    batch: Batch = 16
    balance: Literal["none", "class", "source"] = "class"
    mixed_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    draws: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    lungs: Literal["kept", "blacked-out"] = "kept"
    patient: PatientTraining | None = None
    folds: Annotated[int, Field(ge=2, le=64)] = 6
    patience: Epochs | None = None
    settles: bool = True
    seed: Seed = 0

    @model_validator(mode="after")
    def _fits_patient_data(self) -> Self:
        if self.classifier.patient is not None:
            raise ValueError("classifier.patient is set; it is fitted in training, name the columns in patient.columns")
        return self


_PRESETS: dict[str, Mapping[str, Frozen]] = {"augmentation": AUGMENTATIONS, "acquisition": ACQUISITIONS}

Training = TypeVar("Training", SegmenterTraining, ClassifierTraining)

SEGMENTER_PRESETS = {
    "default": SegmenterTraining(segmenter=SegmenterConfig(output_stride=2), acquisition=ACQUISITIONS["varied"]),
    "paper-jms": SegmenterTraining(
        augmentation=AUGMENTATIONS["paper"],
        optimiser=Optimiser(name="adam", learning_rate=1e-3, weight_decay=0.0, schedule="constant"),
        phases=(Phase(epochs=300, batch=8),),
    ),
    "paper-v7": SegmenterTraining(
        augmentation=AUGMENTATIONS["paper"],
        optimiser=Optimiser(name="adam", learning_rate=1e-3, weight_decay=0.0, schedule="constant"),
        phases=(Phase(epochs=100, batch=12),),
    ),
}
CLASSIFIER_PRESETS = {
    "default": ClassifierTraining(
        classifier=ClassifierConfig(
            input_stride=2,
            alignment=AlignmentConfig(),
            logarithm=True,
            floor=0.1,
            pooling=PoolingConfig(average="lungs"),
            mirror_average=True,
        ),
        preparation=PreparationConfig(equalisation="rank", depth="full"),
        augmentation=AUGMENTATIONS["plausible"].model_copy(update={"zoom": 0.12}),
        acquisition=ACQUISITIONS["strong"],
        variants=16,
        consistency=1.5,
        epochs=18,
        batch=4,
    ),
    "paper": ClassifierTraining(
        augmentation=AUGMENTATIONS["paper"],
        optimiser=Optimiser(name="adam", learning_rate=2e-3, amsgrad=True, weight_decay=0.0, schedule="constant"),
        epochs=200,
        batch=13,
        variants=16,
        settles=False,
    ),
}
"""Presets by name; those of the paper are sections 3.1.1, 3.1.2 and 3.2.1; `default` is the recipe of `covid`."""


def read_training(preset: Training, path: Path | None, changes: Mapping[str, Any]) -> Training:
    """Return `preset` with what a YAML file, and then `changes`, say otherwise; None leaves a field."""
    where = path.name if path is not None else "training"
    given = {} if path is None else read_fields(path)
    given = _merged(given, {field: value for field, value in changes.items() if value is not None})
    for field, presets in _PRESETS.items():
        if isinstance(given.get(field), str):
            if given[field] not in presets:
                raise UsageError(f"{where}: {field} {given[field]} is not known; choose from {', '.join(presets)}")
            given[field] = presets[given[field]].model_dump(mode="json")
    content = _merged(preset.model_dump(mode="json"), given)
    try:
        return type(preset).model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise UsageError(f"{where}: {_explain(error.errors(include_url=False)[0], type(preset))}") from error


def _explain(fault: Any, record: type[BaseModel]) -> str:
    """One line on a fault that pydantic has found: the field, the value as JSON, what is accepted."""
    place, kind = fault["loc"], fault["type"]
    field, text = ".".join(map(str, place)) or "content", fault["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        name = str(place[-1]).casefold().replace("-", "_")
        fields = list(_record_at(record, place[:-1]).model_fields)
        near = get_close_matches(name, fields, n=1)
        near = near or [f"{home}.{name}" for home in fields if name in _record_at(record, (home,)).model_fields]
        meant = f" (did you mean {near[0]}?)" if near else ""
        return f"{field} is not a field{meant}; fields are {', '.join(fields)}"
    value = json.dumps(fault["input"], ensure_ascii=False)
    if kind in ("missing", "value_error"):
        return f"{field}: {text}"
    remedy = {"string_type": "; quote it", "bool_type": "; write true or false"}.get(kind, "")
    return f"{field} is {value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + '...'}: {text}{remedy}"


def _record_at(record: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """The record at a place in another one: in a field, a list, or both."""
    for part in place:
        if part in record.model_fields:
            kind = record.model_fields[str(part)].annotation
            inside = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)]
            record = inside[0] if inside else record
    return record


def _merged(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `preset` with the given fields, also inside a record; the rest of the record stays."""
    both = dict(preset)
    for field, value in given.items():
        is_record = isinstance(value, dict) and isinstance(preset.get(field), dict)
        both[field] = _merged(preset[field], value) if is_record else value
    return both
