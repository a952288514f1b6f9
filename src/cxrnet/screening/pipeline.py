"""From a file to its finding: prepared image, graph, gate, scores. No step goes through disk."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from time import perf_counter
from typing import Any, NamedTuple, Self

from cxrnet.arrays import Float32, UInt8
from cxrnet.errors import UsageError
from cxrnet.imaging.array_input import is_array
from cxrnet.imaging.decoder_pool import DecoderPool
from cxrnet.imaging.preprocess import prepare
from cxrnet.imaging.radiograph import Limits, Radiograph
from cxrnet.model.bundle import Bundle
from cxrnet.model.gate_runtime import GatePrediction, GateRuntime
from cxrnet.model.registry import open_bundle
from cxrnet.model.runtime import ModelOutput, Runtime
from cxrnet.screening.conformal import ambiguity, conformal_set
from cxrnet.screening.correction import correct_orientation
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import GateResult, check_image, correctable
from cxrnet.screening.heatmap import HeatMaps
from cxrnet.screening.inputs import path_text
from cxrnet.screening.options import DEFAULT_BUNDLE
from cxrnet.screening.patient import Given, PatientData, find_patient_data
from cxrnet.screening.scores import score
from cxrnet.screening.segmentation import Segmentation, anatomy_of, lung_area_fraction

Source = Any
"""A file by its path, its bytes or open, a `Radiograph`, or what `Radiograph.from_array` takes."""


class Examination(NamedTuple):
    """One radiograph with the graph's `output`, the `view` that the gate's network sees, and the `gate` result."""

    radiograph: Radiograph
    output: ModelOutput
    view: GatePrediction
    gate: GateResult


class Pipeline:
    """Radiographs in, findings out. Close it, or use it in a `with` statement, to end its readers.

    It can be called from several threads; each reads through a child process of its own.

    Args:
        bundle: The model.
        threads: Threads of the network; None takes all cores.
        limits: What one file may cost.
        identifiers: Whether findings hold `cxrnet.imaging.radiograph.IDENTIFIERS`.
        provider: ONNX Runtime execution provider, one of `cxrnet.model.session.PROVIDERS`.
        decoders: Readers that were started beforehand, in place of `limits` and `identifiers`; the pipeline closes
            them.

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
        decoders: DecoderPool | None = None,
    ) -> None:
        if not isinstance(bundle, Bundle):
            raise UsageError(f"bundle: is {type(bundle).__name__}, not a Bundle; Pipeline.load takes its name")
        self.bundle = bundle
        self.decoders = decoders or DecoderPool(limits, identifiers=identifiers)
        self._runtime = Runtime(bundle, threads=threads, provider=provider)
        self._view = GateRuntime(bundle.gate_graph)

    @classmethod
    def load(
        cls,
        bundle: str | PathLike[str] = DEFAULT_BUNDLE,
        *,
        threads: int | None = None,
        identifiers: bool = False,
        provider: str = "cpu",
        decoders: DecoderPool | None = None,
    ) -> Self:
        """Return a pipeline for the bundle of this name, or in this folder; for the rest see the class.

        Raises:
            BundleError: There is no such bundle, or it is damaged.
        """
        opened = open_bundle(bundle)
        return cls(opened, threads=threads, identifiers=identifiers, provider=provider, decoders=decoders)

    def screen(
        self,
        source: Source,
        *,
        name: str | None = None,
        auto_correct: bool = False,
        patient: Mapping[str, object] | None = None,
        patient_from: Given = "caller",
    ) -> Finding:
        """Return the finding for a file or a `Radiograph`.

        Args:
            source: The file, or what was read of it.
            name: What the finding and messages call it; default: the path, or the radiograph's own name.
            auto_correct: Whether to correct an inverted or rotated image when the gate is at least 90 % certain. The
                finding's `corrections` list the steps; its radiograph has the corrected pixels.
            patient: Column -> value, for a bundle that takes patient data; what is left out comes from the DICOM
                header, else it is missing.
            patient_from: What the finding says of where these values came from.

        Raises:
            RadiographError: The file is not a readable radiograph.
            BundleError: The bundle has no classifier.
            UsageError: The pipeline is closed, or the bundle takes no such patient data.
        """
        timing: dict[str, float] = {}
        self.open_in_background()
        with stopwatch(timing, "read"):
            radiograph = self.read(source, name=name)
        data = self._patient_data(radiograph, patient or {}, patient_from)
        found = self._examine(radiograph, data, timing)
        corrections: tuple[str, ...] = ()
        if auto_correct:
            is_inverted, turn = correctable(found.gate, found.view)
            if is_inverted or turn:
                radiograph, corrections = correct_orientation(radiograph, is_inverted=is_inverted, turn=turn)
                found = self._examine(radiograph, data, timing)
        shown = str(name) if name else (path_text(source) if isinstance(source, str | PathLike) else radiograph.name)
        return self._finding(found, data, name=shown, corrections=corrections, timing=timing)

    def inspect(self, source: Source) -> tuple[Radiograph, GateResult, Segmentation]:
        """Return how a file was read, what the gate says of it, and its lungs; no score is computed.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        radiograph = self.read(source)
        image = self.prepare(radiograph)
        lungs = self._segmentation(radiograph, image)
        return radiograph, self._check(radiograph, self._view.predict(image), lungs.probability), lungs

    def segment(self, source: Source) -> Segmentation:
        """Return the lungs in a file or a `Radiograph`.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        radiograph = self.read(source)
        return self._segmentation(radiograph, self.prepare(radiograph))

    def read(self, source: Source, *, name: str | None = None) -> Radiograph:
        """Return the radiograph in a file or an array; a `Radiograph` comes back as it is, but for another `name`.

        Raises:
            RadiographError: The file is not a readable radiograph.
            UsageError: The pipeline is closed.
        """
        self.decoders.check_open()
        if is_array(source):
            return Radiograph.from_array(source, name=name or "array")
        if isinstance(source, Radiograph):
            return replace(source, name=str(name)) if name else source
        return self.decoders.read(source, name=name)

    def prepare(self, radiograph: Radiograph) -> UInt8:
        """Return the prepared image, uint8 [height, width], as the bundle's networks want it (paper 2.1.2.1)."""
        return prepare(radiograph.pixels, **self.bundle.config.preparation.model_dump(), name=radiograph.name)

    @property
    def patient_columns(self) -> tuple[str, ...]:
        """Names of the patient data that the bundle takes; none for most."""
        return self.bundle.config.patient_columns

    def run(self, image: UInt8, patient: Float32 | None = None) -> ModelOutput:
        """Return what the graph says of a prepared image, uint8 [height, width]; `patient` as in `Runtime.screen`.

        Raises:
            BundleError: The bundle has no classifier, or takes patient data and there are none.
        """
        return self._runtime.screen(image, patient)

    def open_in_background(self) -> None:
        """Start to open the graph that screens, while the caller does other things."""
        self._runtime.open_in_background()

    def close(self) -> None:
        """End the readers' child processes."""
        self.decoders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _patient_data(self, radiograph: Radiograph, given: Mapping[str, object], given_by: Given) -> PatientData | None:
        if not isinstance(given, Mapping):
            raise UsageError(f"patient: is {type(given).__name__}; give a mapping from names of attributes to values")
        if (classifier := self.bundle.config.classifier) is not None and classifier.patient is not None:
            return find_patient_data(classifier.patient, radiograph, given, given_by=given_by)
        if given:
            raise UsageError(f"{self.bundle.config.name}: takes no patient data; leave out {', '.join(given)}")
        return None

    def _examine(self, radiograph: Radiograph, data: PatientData | None, timing: dict[str, float]) -> Examination:
        """Run everything on one radiograph; the milliseconds are added to `timing`."""
        with stopwatch(timing, "prepare"):
            image = self.prepare(radiograph)
        with stopwatch(timing, "gate"):
            view = self._view.predict(image)
        with stopwatch(timing, "network"):
            output = self._runtime.screen(image, None if data is None else data.inputs)
        return Examination(radiograph, output, view, self._check(radiograph, view, output.lung_probability))

    def _segmentation(self, radiograph: Radiograph, image: UInt8) -> Segmentation:
        probability = self._runtime.class_probability(image)
        anatomy = anatomy_of(probability, self.bundle.config.segmenter.classes)
        return Segmentation(radiograph=radiograph, probability=self._runtime.lungs_of(probability), anatomy=anatomy)

    @staticmethod
    def _check(radiograph: Radiograph, view: GatePrediction, probability: Float32) -> GateResult:
        return check_image(radiograph.tags, pixels=radiograph.pixels, view=view, lungs=probability > 0.5)

    def _finding(
        self,
        found: Examination,
        data: PatientData | None,
        *,
        name: str,
        corrections: tuple[str, ...],
        timing: dict[str, float],
    ) -> Finding:
        radiograph, output, _, gate = found
        identifiers = radiograph.identifiers
        finding = Finding(
            input=name,
            identifiers=None if identifiers is None else dict(identifiers),
            status="refused" if gate.refusals else "scored",
            reasons=gate.reasons,
            patient=None if data is None else data.values,
            corrections=corrections,
            warnings=(*radiograph.warnings, *(() if data is None else data.notes)),
            model=self.bundle.identity,
            lung_area_fraction=lung_area_fraction(output.lung_probability),
            timing_ms={stage: round(milliseconds, 2) for stage, milliseconds in timing.items()},
            radiograph=radiograph,
            lung_probability=output.lung_probability,
            anatomy=anatomy_of(output.class_probability, self.bundle.config.segmenter.classes),
            patient_inputs=None if data is None else data.inputs,
        )
        return finding if gate.refusals else finding.model_copy(update=self._scored(output))

    def _scored(self, output: ModelOutput) -> dict[str, object]:
        """Return the fields that only a scored finding has."""
        config, calibration = self.bundle.config.classifier, self.bundle.config.calibration
        assert config is not None  # the runtime has refused such a bundle
        scores = score(output, calibration, config)
        interval = () if scores.interval is None else scores.interval.tolist()
        values = dict(zip(config.classes, map(float, scores.ensemble), strict=True))
        sets = None if calibration is None else calibration.conformal
        members = None if sets is None else conformal_set(values, sets.thresholds)
        reason = scores.uncertainty_reason
        if sets is not None and members is not None:
            reason = reason or ambiguity(members, level=sets.level)
        return {
            "scores": values,
            "is_calibrated": calibration is not None,
            "operating_points": {} if calibration is None else calibration.operating_points,
            "folds": {name: tuple(map(float, scores.folds[:, at])) for at, name in enumerate(config.classes)},
            "spread": float(scores.folds.std(axis=0).max()),
            "interval": {name: tuple(limits) for name, limits in zip(config.classes, interval, strict=False)},
            "conformal_set": members,
            "is_uncertain": None if scores.interval is None and members is None else reason is not None,
            "uncertainty_reason": reason,
            "heatmaps": HeatMaps(
                classes=config.classes,
                class_maps=output.class_maps,
                fold_maps=output.fold_maps,
                logits=output.logits,
                lung_mask=output.lung_mask,
                mask_threshold=config.pooling.mask_threshold,
            ),
        }


@contextmanager
def stopwatch(timing: dict[str, float], stage: str) -> Iterator[None]:
    """Add the milliseconds that the block took to `timing`."""
    start = perf_counter()
    yield
    timing[stage] = timing.get(stage, 0.0) + (perf_counter() - start) * 1000
