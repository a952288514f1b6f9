"""What a bundle says of its model: architecture, preparation, classes; the paper's presets as constants.

Every class is frozen, refuses unknown keys and wrong types, and reads back from JSON what it wrote.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cxrnet.model.calibration import Calibration
from cxrnet.model.patient import PatientConfig
from cxrnet.model.record import Depth, Frozen, Positive, Width, check_names
from cxrnet.model.segmenter_classes import BACKGROUND, LUNGS, check_classes

OddKernel = Annotated[int, Field(ge=1, le=31)]

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""Regular expression of the name of a bundle."""

VERSION = r"^\d+\.\d+(\.\d+)?$"
"""Regular expression of the version of a bundle."""


class Branch(Frozen):
    """One parallel branch of a residual block: an odd square `kernel` and its `dilation`, in pixels."""

    kernel: OddKernel
    dilation: Width

    @model_validator(mode="after")
    def _kernel_is_odd(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; only odd kernels keep the size of a map")
        return self


Branches = Annotated[tuple[Branch, ...], Field(min_length=1, max_length=16)]


class SegmenterConfig(Frozen):
    """Module 1, the lung segmenter (paper 2.1.2.4, Fig. 1).

    Attributes:
        classes: Names of the output channels in order. Two are `lungs` and the rest. More begin with `background`, for
            example `background`, `right lung`, `left lung`, `heart`; the lungs are the classes `lungs`, `lung`, or
            `right lung` and `left lung`. Sides are the patient's.
        filters: Filters of each branch; the shortcut has `filters` times the number of branches.
        branches: Kernel and dilation of each parallel branch.
        blocks: Residual blocks, the stem included.
        recurrent_blocks: Res-CR-Net's recurrent residual blocks after them (0 in the paper).
        merge: How a block joins its branches.
        dropout: Rate of the spatial dropout behind every block but the last, in training.
        output_stride: Sides of the image over those of the maps (1 in the paper). At 2 the image is halved first, and
            the logits are brought back to its size, for a quarter of the work.
    """

    classes: tuple[str, ...] = (LUNGS, BACKGROUND)
    filters: Width = 16
    branches: Branches = (
        Branch(kernel=3, dilation=1),
        Branch(kernel=5, dilation=3),
        Branch(kernel=7, dilation=5),
    )
    blocks: Depth = 6
    recurrent_blocks: Annotated[int, Field(ge=0, le=64)] = 0
    merge: Literal["concatenate", "add"] = "concatenate"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    output_stride: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _has_lungs(self) -> Self:
        check_classes(self.classes)
        return self


class ScatteringConfig(Frozen):
    """The wavelet scattering transform (paper 2.2.3, Fig. 2): `J` scales, `L` angles, orders 0 to `order`."""

    J: Annotated[int, Field(ge=1, le=6)] = 2
    L: Annotated[int, Field(ge=1, le=16)] = 6
    order: Annotated[int, Field(ge=0, le=2)] = 2

    @property
    def channels(self) -> int:
        """Number of output channels: 1 + J L + J (J - 1) L^2 / 2 at order 2."""
        first = self.J * self.L if self.order >= 1 else 0
        second = self.J * (self.J - 1) * self.L**2 // 2 if self.order == 2 else 0
        return 1 + first + second


class AttentionConfig(Frozen):
    """Multi-head attention on rows and on columns: number of `heads` and `size` of each (paper 3.2.1)."""

    heads: Depth = 2
    size: Width = 64


class AlignmentConfig(Frozen):
    """Shares of the sides of an aligned image that the box around the lungs fills."""

    height: Annotated[float, Field(gt=0.2, le=1)] = 0.78
    width: Annotated[float, Field(gt=0.2, le=1)] = 0.84


class PoolingConfig(Frozen):
    """What the class maps are multiplied with before the global average (paper 2.2.3, 3.2.2, Table 3).

    Attributes:
        mask_threshold: A position is lung where the pooled lung mask is above this (published code: 0.3).
        regions: `lungs` averages over the lung mask; `threshold` leaves out regions of the image at or below
            `intensity_threshold` as well; `intensity` multiplies the maps by the image rescaled to [0, 1].
        intensity_threshold: Grey value in [0, 1], used with `threshold` only.
        average: `lungs` divides the sum of a map by that of its weights, so that the size of the lungs in the image
            does not scale the logits; None averages over all positions of the image, as in the paper.
    """

    mask_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.3
    regions: Literal["lungs", "threshold", "intensity"] = "lungs"
    intensity_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.0
    average: Literal["lungs"] | None = None


class ClassifierConfig(Frozen):
    """One fold of Module 2, the classifier (paper 2.2.3, Fig. 3).

    Attributes:
        classes: Class names in the order of the scores.
        scattering: The fixed front end.
        attention: Cross-attention on rows and columns; None leaves the channel out.
        filters: Filters of each branch in all blocks but the last, which has one per class.
        branches: Kernel and dilation of each parallel branch.
        blocks: Residual blocks, the stem included; the last adds its branches.
        input_stride: Sides of the prepared image over those of the image that is scattered. At 2 it is halved first:
            the finest scale, which holds more noise than anatomy, is left out, and maps are half as large.
        alignment: How large the lungs are in what Module 2 sees: image and mask are moved and scaled so that the box
            around the lungs is in the middle and has this size, and greys are equalised again. None sees the image as
            it is.
        logarithm: Whether coefficients c of order 1 and 2 enter as log(1 + c / floor), which adds what contrast
            multiplies.
        floor: Coefficients below it count little; white noise of 10 grey values of 255 has mean coefficients of
            order 1 of 0.03 at full size and 0.016 at half.
        lungs_only: Whether coefficients outside the lungs are set to 0 before the blocks, which otherwise see some way
            beyond the border.
        pooling: How class maps become scores.
        mirror_average: Whether class maps and logits are means over the image and its mirror image, which score alike.
        patient: Patient data as a further input, or None.
        dropout: Rate of the spatial dropout, in training.
    """

    classes: tuple[str, ...] = ("covid", "non-covid")
    scattering: ScatteringConfig = ScatteringConfig()
    attention: AttentionConfig | None = AttentionConfig()
    filters: Width = 17
    branches: Branches = (
        Branch(kernel=3, dilation=1),
        Branch(kernel=3, dilation=2),
        Branch(kernel=3, dilation=3),
    )
    blocks: Annotated[int, Field(ge=2, le=64)] = 3
    input_stride: Literal[1, 2] = 1
    alignment: AlignmentConfig | None = None
    logarithm: bool = False
    floor: Annotated[float, Field(gt=0)] = 0.01
    lungs_only: bool = False
    pooling: PoolingConfig = PoolingConfig()
    mirror_average: bool = False
    patient: PatientConfig | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05

    @property
    def has_logits_in_maps(self) -> bool:
        """Whether the logits of a fold are the means of its class maps over the image."""
        return self.patient is None and self.alignment is None and self.pooling.average is None

    @model_validator(mode="after")
    def _has_classes(self) -> Self:
        check_names(self.classes)
        return self


class PreparationConfig(Frozen):
    """From a radiograph to the image that the networks see (paper 2.1.2.1).

    `interpolation` is `bilinear`, without antialiasing, for the published weights, which saw such images, and
    `area` for models trained here. `equalisation` is `histogram`, as published, or `rank`: pixels of one grey get the
    middle of their ranks, and a uniform border does not count, so that clipping and frames move other greys little.
    `depth` is `8-bit` where greys are rounded before they are equalised, as for all
    models made before the choice was there, and `full` where 16-bit radiographs keep their greys.
    """

    height: Annotated[int, Field(ge=32, le=4096)] = 300
    width: Annotated[int, Field(ge=32, le=4096)] = 340
    interpolation: Literal["bilinear", "area"] = "area"
    equalisation: Literal["histogram", "rank"] = "histogram"
    depth: Literal["8-bit", "full"] = "8-bit"


class LungMaskConfig(Frozen):
    """From the lung probability of Module 1 to the mask that Module 2 takes.

    Attributes:
        levels: The probability is rounded to this many steps (255 in the published code, which keeps masks as
            8-bit files between its modules); None keeps it as it is.
        window: Lowest and highest grey value of the prepared image that is kept in the mask (6 and 225 in the
            published code); None keeps all.
    """

    levels: Positive | None = None
    window: tuple[int, int] | None = None


class Standardisation(Frozen):
    """Mean and standard deviation, in grey values 0 to 255, of the training images (paper 2.2.2.1)."""

    mean: float
    std: Annotated[float, Field(gt=0)]


class BundleConfig(Frozen):
    """All that is needed to run a bundle besides its weights.

    Attributes:
        format: Version of the layout of the folder.
        name: Short name, as in `--bundle NAME`.
        version: Version of the model.
        description: One line for people.
        lungs_include_heart: Whether the lung mask runs behind the heart (V7 convention) or leaves it out
            (JMS).
        preparation: How a radiograph is prepared.
        segmenter: Module 1.
        lung_mask: What happens to its output before Module 2.
        classifier: Module 2, or None in a bundle that only finds lungs.
        folds: Networks of Module 2 in the ensemble; 0 without a classifier.
        standardisation: Grey values of the training images; None without a classifier.
        calibration: From logits to probabilities; None where the scores are a plain softmax.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=NAME)]
    version: Annotated[str, Field(pattern=VERSION)]
    description: str
    lungs_include_heart: bool
    preparation: PreparationConfig = PreparationConfig()
    segmenter: SegmenterConfig = SegmenterConfig()
    lung_mask: LungMaskConfig = LungMaskConfig()
    classifier: ClassifierConfig | None = None
    folds: Annotated[int, Field(ge=0, le=64)] = 0
    standardisation: Standardisation | None = None
    calibration: Calibration | None = None

    @property
    def is_aligned(self) -> bool:
        """Whether the classifier, if there is one, sees images aligned by their lungs."""
        return self.classifier is not None and self.classifier.alignment is not None

    @property
    def patient_columns(self) -> tuple[str, ...]:
        """Names of the patient data that the model takes in addition to the image."""
        return self.classifier.patient.names if self.classifier and self.classifier.patient else ()

    @model_validator(mode="after")
    def _classifier_is_complete(self) -> Self:
        parts = (self.classifier is not None, self.folds > 0, self.standardisation is not None)
        if len(set(parts)) != 1:
            raise ValueError("classifier, folds and standardisation go together; give all three or none")
        if self.calibration and len(self.calibration.bias) != len(self.classifier.classes if self.classifier else ()):
            raise ValueError(f"calibration has {len(self.calibration.bias)} biases; one per class is needed")
        sets = self.calibration.conformal if self.calibration else None
        if sets and self.classifier and set(sets.thresholds) != set(self.classifier.classes):
            raise ValueError(f"conformal has thresholds for {', '.join(sets.thresholds)}; one for each class is needed")
        return self


NEW_PREPARATION = PreparationConfig(depth="full")
"""Of models trained now."""

PUBLISHED_PREPARATION = PreparationConfig(interpolation="bilinear")
PUBLISHED_LUNG_MASK = LungMaskConfig(levels=255, window=(6, 225))
