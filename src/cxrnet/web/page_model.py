"""What the page needs to know of a model: the parts of its config that run in a browser, and the limits of the gate."""

from __future__ import annotations

from typing import Any

from cxrnet.errors import BundleError
from cxrnet.imaging.defined_terms import KNOWN_WORDS, LATERAL_WORDS, OTHER_WORDS, RADIOGRAPHY, WHOLE_VALUES
from cxrnet.model.bundle import GRAPH, Bundle
from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS, GateRuntime
from cxrnet.screening import gate
from cxrnet.screening.finding import NOTICE

FORMAT = 1
"""Of the record; the page refuses any other."""

_UNKNOWN = "UNKNOWN TERM"  # what the page makes of any other value; it says nothing against an image
_CHEST_PHRASES = (
    "CHEST PA", "CHEST AP", "CHEST_PA", "CHEST_AP", "THORAX PA", "THORAX AP", "THORAX_PA", "THORAX_AP", "PORT CHEST",
    "CHEST PORT", "CHEST 1 VIEW",
)  # fmt: skip
_LATERAL_PHRASES = ("LEFT LATERAL", "RIGHT LATERAL")


def describe_model(bundle: Bundle) -> dict[str, Any]:
    """Return the record of a model that the page reads (`Model` in `web/src/inference/model.ts`).

    Raises:
        BundleError: The bundle has no classifier, or takes patient data in addition to the image.
    """
    config = bundle.config
    classifier = config.classifier
    if classifier is None:
        raise BundleError(f"{config.name}: has no classifier; the page shows scores, choose another bundle")
    if classifier.patient is not None:
        raise BundleError(f"{config.name}: takes patient data; the page screens images alone, choose another bundle")
    return {
        "format": FORMAT,
        "name": config.name,
        "version": config.version,
        "sha256": bundle.sha256,
        "classes": list(classifier.classes),
        "folds": config.folds,
        "mask_threshold": classifier.pooling.mask_threshold,
        "preparation": config.preparation.model_dump(),
        "calibration": None if config.calibration is None else config.calibration.model_dump(mode="json"),
        "gate": describe_gate(bundle),
        "terms": _terms(),
        "notice": NOTICE,
    }


def _terms() -> dict[str, list[str]]:
    """Return the values that the page shows of each attribute; it compares whole values and shows others as unknown."""
    words = {
        "BodyPartExamined": {*KNOWN_WORDS, *_CHEST_PHRASES},
        "ViewPosition": {*KNOWN_WORDS, *_LATERAL_PHRASES},
        **WHOLE_VALUES,
    }
    return {keyword: sorted(values) for keyword, values in words.items()}


def describe_gate(bundle: Bundle) -> dict[str, Any]:
    """Return the limits and words of the gate, with the limits of the bundle's own network."""
    return {
        "least_lung": gate.MIN_LUNG_FRACTION,
        "most_lung": gate.MAX_LUNG_FRACTION,
        "least_levels": gate.MIN_LEVELS,
        "least_range": gate.MIN_RANGE,
        "enough": gate.MAX_SAMPLES,
        "doubted": gate.MIN_PROBABILITY,
        "far": gate.MAX_RELATIVE_DISTANCE,
        "radiography": sorted({*RADIOGRAPHY, _UNKNOWN}),
        "chest": sorted({*(KNOWN_WORDS - OTHER_WORDS), *_CHEST_PHRASES, _UNKNOWN}),
        "lateral": sorted({*LATERAL_WORDS, *_LATERAL_PHRASES}),
        "contents": list(CONTENTS),
        "turns": list(TURNS),
        "view_size": list(GATE_SIZE),
        "view_limits": dict(GateRuntime(bundle.gate_graph).facts.limits),
    }


def read_graphs(bundle: Bundle) -> dict[str, bytes]:
    """Return the graphs that the page runs, by the names under which it asks for them."""
    return {"graph.onnx": (bundle.folder / GRAPH).read_bytes(), "view.onnx": bundle.gate_graph.read_bytes()}
