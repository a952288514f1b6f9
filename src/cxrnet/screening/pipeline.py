"""The way of a radiograph: file, prepared image, graph, gate, finding. No step goes through disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np

from cxrnet.arrays import Float32, UInt8
from cxrnet.imaging.decoding import Decoder
from cxrnet.imaging.preprocess import prepare
from cxrnet.imaging.radiograph import Limits, Radiograph
from cxrnet.model.bundle import Bundle
from cxrnet.model.gate_runtime import GatePrediction, GateRuntime
from cxrnet.model.registry import open_bundle
from cxrnet.model.runtime import ModelOutput, Runtime
from cxrnet.screening.calibration import scores_of
from cxrnet.screening.correction import mended
from cxrnet.screening.finding import Finding, identity
from cxrnet.screening.gate import Judgement, judge, mendable
from cxrnet.screening.heatmap import HeatMaps, resize
from cxrnet.screening.uncertainty import doubt, interval_of

DEFAULT_BUNDLE, LUNGS_BUNDLE = "covid", "lungs"
"""Bundles that screen, and that find lungs alone, where none is named; both come with the package."""

Source = str | PathLike[str] | Radiograph


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """The lungs of one radiograph: `probability` float32 [height, width] in [0, 1], of the prepared image's size."""

    radiograph: Radiograph
    probability: Float32

    @property
    def area_fraction(self) -> float:
        """Share of the image that is lung, 0 to 1."""
        return lung_area_fraction(self.probability)

    @property
    def area_cm2(self) -> float | None:
        """Area of the lungs in the plane of the detector; None where the pixel spacing is not known."""
        if self.radiograph.spacing_mm is None:
            return None
        row, column = self.radiograph.spacing_mm
        return self.area_fraction * self.radiograph.pixels.size * row * column / 100


class Pipeline:
    """Radiographs in, findings out. Close it, or use it in a `with` statement, to end its readers.

    It can be called from several threads; each reads through a child process of its own.

    Args:
        bundle: The model.
        threads: Threads of the network; None takes all cores.
        limits: What one file may cost.
        identifiers: Whether findings tell whose image it is (`cxrnet.imaging.radiograph.IDENTIFIERS`).
        provider: What runs the networks, one of `cxrnet.model.session.PROVIDERS`.
        decoder: A reader that was started beforehand; it is the pipeline's from here on.

    Example:
        >>> with Pipeline.load("covid") as pipeline:  # doctest: +SKIP
        ...     finding = pipeline.screen("chest.dcm")
        ...     finding.scores["covid"]
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        limits: Limits | None = None,
        identifiers: bool = False,
        provider: str = "cpu",
        decoder: Decoder | None = None,
    ) -> None:
        self.bundle = bundle
        self.identifiers = identifiers
        self.limits = limits or Limits()
        self._runtime = Runtime(bundle, threads=threads, provider=provider)
        self._view = GateRuntime(bundle.gate_graph)
        self._local = threading.local()
        self._decoders: list[Decoder] = [] if decoder is None else [decoder]
        self._unused = deque(self._decoders)

    @classmethod
    def load(
        cls,
        bundle: str | PathLike[str] = DEFAULT_BUNDLE,
        *,
        threads: int | None = None,
        identifiers: bool = False,
        provider: str = "cpu",
        decoder: Decoder | None = None,
    ) -> Self:
        """Return a pipeline for the bundle of this name, or in this folder; for the rest see the class.

        Raises:
            BundleError: There is none, or it is damaged.
        """
        opened = open_bundle(str(bundle))
        return cls(opened, threads=threads, identifiers=identifiers, provider=provider, decoder=decoder)

    def screen(self, source: Source, *, mend: bool = False) -> Finding:
        """Return the finding for a file or a `Radiograph`.

        Args:
            source: The file, or what was read of it.
            mend: Whether an inverted or turned film is put right where there is no doubt of it. What was done is in
                the `mended` of the finding and in the history of its radiograph, whose pixels are the mended ones.

        Raises:
            RadiographError: The file is not a readable radiograph.
            BundleError: The bundle has no classifier.
        """
        timing: dict[str, float] = {}
        self._runtime.open_in_background()
        with stopwatch(timing, "read"):
            radiograph = self.read(source)
        name = str(source) if not isinstance(source, Radiograph) else source.name
        output, judgement, view = self._examine(radiograph, timing)
        steps: tuple[str, ...] = ()
        if mend:
            is_inverted, turn = mendable(judgement, view)
            if is_inverted or turn:
                radiograph, steps = mended(radiograph, is_inverted=is_inverted, turn=turn)
                output, judgement, _ = self._examine(radiograph, timing)
        return self._find(name, radiograph, output, judgement, timing, steps)

    def inspect(self, source: Source) -> tuple[Radiograph, Judgement, Segmentation]:
        """Return how a file was read, what the gate says of it, and its lungs; no score is computed.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        radiograph = self.read(source)
        image = self.prepare(radiograph)
        lungs = Segmentation(radiograph=radiograph, probability=self._runtime.lung_probability(image))
        return radiograph, self._judge(radiograph, self._view.predict(image), lungs.area_fraction), lungs

    def segment(self, source: Source) -> Segmentation:
        """Return the lungs in a file or a `Radiograph`.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        radiograph = self.read(source)
        return Segmentation(radiograph=radiograph, probability=self._runtime.lung_probability(self.prepare(radiograph)))

    def read(self, source: Source) -> Radiograph:
        """Return the radiograph in a file; a `Radiograph` comes back as it is.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        return source if isinstance(source, Radiograph) else self.decoder.read(source)

    @property
    def decoder(self) -> Decoder:
        """The reader of this thread."""
        if not hasattr(self._local, "decoder"):
            self._local.decoder = self._take_decoder()
        decoder: Decoder = self._local.decoder
        return decoder

    def _take_decoder(self) -> Decoder:
        """Return a reader that no thread has yet."""
        try:
            return self._unused.popleft()
        except IndexError:
            decoder = Decoder(self.limits, identifiers=self.identifiers)
            self._decoders.append(decoder)
            return decoder

    def prepare(self, radiograph: Radiograph) -> UInt8:
        """Return the prepared image, uint8 [height, width], as the bundle's networks want it (paper 2.1.2.1)."""
        return prepare(radiograph.pixels, **self.bundle.config.preparation.model_dump(), name=radiograph.name)

    def run(self, image: UInt8) -> ModelOutput:
        """Return what the graph says of a prepared image, uint8 [height, width].

        Raises:
            BundleError: The bundle has no classifier.
        """
        return self._runtime.screen(image)

    def close(self) -> None:
        """End the readers' child processes."""
        self._unused.clear()
        while self._decoders:
            self._decoders.pop().close()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _examine(
        self, radiograph: Radiograph, timing: dict[str, float]
    ) -> tuple[ModelOutput, Judgement, GatePrediction]:
        """Run everything on one radiograph; the milliseconds are added to `timing`."""
        with stopwatch(timing, "prepare"):
            image = self.prepare(radiograph)
        with stopwatch(timing, "gate"):
            view = self._view.predict(image)
        with stopwatch(timing, "network"):
            output = self._runtime.screen(image)
        return output, self._judge(radiograph, view, lung_area_fraction(output.lung_probability)), view

    @staticmethod
    def _judge(radiograph: Radiograph, view: GatePrediction, area: float) -> Judgement:
        return judge(radiograph.tags, pixels=radiograph.pixels, view=view, lung_area_fraction=area)

    def _find(
        self,
        name: str,
        radiograph: Radiograph,
        output: ModelOutput,
        judgement: Judgement,
        timing: dict[str, float],
        steps: tuple[str, ...],
    ) -> Finding:
        config = self.bundle.config.classifier
        assert config is not None  # the runtime has refused such a bundle
        found = Finding(
            input=name,
            status="refused" if judgement.refusals else "scored",
            reasons=judgement.reasons,
            mended=steps,
            warnings=radiograph.warnings,
            model=identity(self.bundle),
            lung_area_fraction=lung_area_fraction(output.lung_probability),
            timing_ms={stage: round(milliseconds, 2) for stage, milliseconds in timing.items()},
            radiograph=radiograph,
            lung_probability=output.lung_probability,
        )
        if judgement.refusals:
            return found
        heatmaps = HeatMaps(
            classes=config.classes,
            class_maps=output.class_maps,
            fold_maps=output.fold_maps,
            logits=output.logits,
            lung_mask=output.lung_mask,
            mask_threshold=config.pooling.mask_threshold,
        )
        calibration = self.bundle.config.calibration
        scores, folds = scores_of(output, calibration)
        interval = interval_of(output, calibration)
        ends = [] if interval is None else [(float(low), float(high)) for low, high in interval]
        return replace(
            found,
            scores=dict(zip(config.classes, map(float, scores), strict=True)),
            is_calibrated=calibration is not None,
            operating_points={} if calibration is None else calibration.operating_points,
            folds={name: tuple(map(float, folds[:, index])) for index, name in enumerate(config.classes)},
            spread=float(folds.std(axis=0).max()),
            interval=dict(zip(config.classes, ends, strict=False)),
            doubt=doubt(output, calibration, config.classes, interval),
            heatmaps=heatmaps,
        )


def lung_area_fraction(probability: Float32) -> float:
    """Return the share of pixels whose lung probability is above 0.5."""
    return float((probability > 0.5).mean())


def lungs_at(probability: Float32, height: int, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return the lung mask, bool [height, width], at another size: resized probability above 0.5."""
    mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = resize(probability[None], height, width)[0] > 0.5
    return mask


@contextmanager
def stopwatch(timing: dict[str, float], stage: str) -> Iterator[None]:
    """Add the milliseconds that the block took to `timing`."""
    start = perf_counter()
    yield
    timing[stage] = timing.get(stage, 0.0) + (perf_counter() - start) * 1000
