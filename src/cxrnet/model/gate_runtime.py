"""The network of the gate under ONNX Runtime: what an image shows, which way up, in which polarity. No PyTorch."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from pydantic import AliasChoices, ConfigDict, Field, ValidationError

from cxrnet.arrays import UInt8
from cxrnet.errors import BundleError
from cxrnet.model.record import Frozen, Positive
from cxrnet.model.session import Session

SHIPPED_GATE = Path(__file__).parents[1] / "models" / "view.onnx"
"""The network that comes with the package."""

CONTENTS = ("frontal", "lateral", "part", "other")
"""What an image can show: a whole frontal chest, a lateral one, a part of a chest, or something else."""

TURNS = (0, 90, 180, 270)
"""Degrees by which a chest can be turned, anticlockwise."""

GATE_SIZE = (300, 340)
"""Height and width of the network's input, in pixels: those of a prepared image of the paper."""

METADATA = "cxrnet.view"
"""Key of the graph's metadata under which its facts are, as JSON."""


class GateFacts(Frozen):
    """What is known of a gate network.

    Attributes:
        limits: `least_frontal` and `doubted_frontal`, probabilities of a frontal chest below which an image is
            refused, and gets a warning; `unlike`, the distance above which it gets one.
        images: Frontal radiographs it was trained on, held-out ones included.
        sha256: Of what the manifest says of them.
        settings: Of the training.
    """

    model_config = ConfigDict(defer_build=False)  # several threads read one at the same time

    limits: Mapping[str, float]
    images: Positive = Field(validation_alias=AliasChoices("images", "films"))
    sha256: str
    settings: Mapping[str, Any]


class GatePrediction(NamedTuple):
    """What one image shows.

    `contents` maps each of `CONTENTS` to its probability; `turn` is one of `TURNS`, `turned` the probability that it is
    turned at all, `inverted` that bone is dark: these mean something for a frontal chest only. `distance` is the
    Mahalanobis distance to the images of the training; `limits` are those of `GateFacts`.
    """

    contents: Mapping[str, float]
    turn: int
    turned: float
    inverted: float
    distance: float
    limits: Mapping[str, float]


class GateRuntime:
    """The gate network; loaded when it is first needed, and safe to call from several threads."""

    def __init__(self, path: Path = SHIPPED_GATE) -> None:
        self._session = Session(path, threads=1)  # too small to be worth sharing

    def predict(self, image: UInt8) -> GatePrediction:
        """Return what a prepared image shows, uint8 [any height, any width]."""
        if image.shape != GATE_SIZE:
            image = np.asarray(cv2.resize(image, GATE_SIZE[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        limits = self.facts.limits
        contents, turns, inverted, distance = self._session.run(
            ["contents", "turns", "inverted", "distance"], {"image": image[None]}
        )
        return GatePrediction(
            contents=dict(zip(CONTENTS, map(float, contents[0]), strict=True)),
            turn=TURNS[int(turns[0].argmax())],
            turned=float(1 - turns[0, 0]),
            inverted=float(inverted[0]),
            distance=float(distance[0]),
            limits=limits,
        )

    @cached_property
    def facts(self) -> GateFacts:
        """What is known of the network; raises as `predict` does."""
        try:
            return GateFacts.model_validate_json(self._session.opened.get_modelmeta().custom_metadata_map[METADATA])
        except (KeyError, ValidationError) as error:
            msg = f"{self._session.path.name}: is not a gate network of this version; install cxrnet again"
            raise BundleError(msg) from error
