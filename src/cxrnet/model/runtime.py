"""A bundle's graphs under ONNX Runtime: prepared image in, arrays out. No PyTorch."""

from typing import NamedTuple

import numpy as np

from cxrnet.arrays import AnyArray, Float32, UInt8
from cxrnet.errors import BundleError
from cxrnet.model.bundle import GRAPH, SEGMENTER, Bundle
from cxrnet.model.segmenter_classes import has_label_maps, lung_channels
from cxrnet.model.session import Session


class ModelOutput(NamedTuple):
    """The outputs of the graph for one image; float32, named as the graph's outputs.

    `lung_probability` and `lung_mask` [height, width] in [0, 1], the mask being what Module 2 takes; `fold_maps`
    [fold, class, rows, columns]; `fold_scores` [fold, class] in [0, 1]; `class_maps` [class, rows, columns];
    `logits` and `scores` [class]; `class_probability` [class, height, width] of the segmenter, if it has more than two
    classes.
    """

    lung_probability: Float32
    lung_mask: Float32
    fold_maps: Float32
    fold_scores: Float32
    class_maps: Float32
    logits: Float32
    scores: Float32
    class_probability: Float32 | None = None


class Runtime:
    """The graphs of one bundle, each loaded when it is first needed; safe to call from several threads."""

    def __init__(self, bundle: Bundle, *, threads: int | None = None, provider: str = "cpu") -> None:
        self.bundle = bundle
        self._network = Session(bundle.folder / GRAPH, threads=threads, provider=provider)
        self._segmenter = Session(bundle.folder / SEGMENTER, threads=threads, provider=provider)

    def screen(self, image: UInt8, patient: Float32 | None = None) -> ModelOutput:
        """Return every output for a prepared image, uint8 [height, width] of the size in the bundle's config.

        `patient` is float32 [input], as `PatientConfig.encode` returns it, for a bundle that takes patient data. A
        ValueError says that the image is of another size or type.
        """
        if self.bundle.config.classifier is None:
            raise BundleError(f"{self.bundle.config.name}: has no classifier; use it with `cxrnet segment`")
        size = self.bundle.config.preparation
        if image.dtype != np.uint8 or image.shape != (size.height, size.width):
            raise ValueError(f"image is {image.dtype} {image.shape}; uint8 ({size.height}, {size.width}) is needed")
        inputs: dict[str, AnyArray] = {"image": image[None]}
        columns = self.bundle.config.classifier.patient
        if columns is not None:
            if patient is None:
                names = ", ".join(columns.names)
                raise BundleError(f"{self.bundle.config.name}: takes patient data ({names}) besides the image")
            inputs["patient"] = patient[None]
        has_maps = has_label_maps(self.bundle.config.segmenter.classes)
        outputs = self._network.run(ModelOutput._fields if has_maps else ModelOutput._fields[:-1], inputs)
        return ModelOutput(*(output[0] for output in outputs))

    def lung_probability(self, image: UInt8) -> Float32:
        """Return the lung probability, float32 [height, width] in [0, 1], of an equalised uint8 image of any size."""
        return self.lungs_of(self.class_probability(image))

    def class_probability(self, image: UInt8) -> Float32:
        """Return the probability of each class of the segmenter, float32 [class, height, width]; see above."""
        scaled = image.astype(np.float32)[None, None] / 255
        (probability,) = self._segmenter.run(["probability"], {"image": scaled})
        classes: Float32 = probability[0]
        return classes

    def lungs_of(self, probability: Float32) -> Float32:
        """Return the lung probability, float32 [height, width], of that of each class, float32 [class, ...]."""
        first, *others = (probability[channel] for channel in lung_channels(self.bundle.config.segmenter.classes))
        lungs: Float32 = sum(others, start=first)
        return lungs

    def open_in_background(self) -> None:
        """Start to open the graph that screens, while the caller does other things."""
        if self.bundle.config.classifier is not None:
            self._network.open_in_background()
