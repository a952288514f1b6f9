"""What the page needs to know of a model: the parts of its config that run in a browser, and the limits of the gate."""

from typing import Any

from cxrnet.errors import BundleError, UsageError
from cxrnet.imaging import defined_terms
from cxrnet.imaging.coded_terms import CODED_TERMS
from cxrnet.model.bundle import GRAPH, Bundle
from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS, GateRuntime
from cxrnet.model.session import optimise
from cxrnet.screening import gate
from cxrnet.screening.finding import NOTICE

FORMAT = 3
"""Of the record; the page refuses any other."""


def describe_model(bundle: Bundle) -> dict[str, Any]:
    """Return the record of a model that the page reads (`Model` in `web/src/inference/model.ts`)."""
    config = bundle.config
    classifier = config.classifier
    if classifier is None:
        raise BundleError(f"{config.name}: has no classifier; the page shows scores, choose another bundle")
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


def describe_models(bundle: Bundle, other: Bundle | None) -> dict[str, Any]:
    """Return the record of a model, with that of the one to compare with as `other`; None without one."""
    check_comparable(bundle, other)
    return describe_model(bundle) | {"other": None if other is None else describe_model(other)}


def check_comparable(bundle: Bundle, other: Bundle | None) -> None:
    """Refuse to compare a model with itself."""
    if other is not None and other.sha256 == bundle.sha256:
        raise UsageError(f"--compare-with {other.config.name}: is the model of --bundle itself; choose another bundle")


def _terms() -> dict[str, Any]:
    """Return the words of the attributes (`Terms` in `web/src/reading/defined_terms.ts`)."""
    words = {
        "known": defined_terms.KNOWN_WORDS,
        "chest": defined_terms.CHEST_WORDS,
        "in_chest": defined_terms.IN_CHEST_WORDS,
        "other_parts": defined_terms.OTHER_WORDS,
        "lateral": defined_terms.LATERAL_WORDS,
        "frontal": defined_terms.FRONTAL_WORDS,
        "decubitus": defined_terms.DECUBITUS_WORDS,
        "oblique": defined_terms.OBLIQUE_WORDS,
        "lordotic": defined_terms.LORDOTIC_WORDS,
        "supine": defined_terms.SUPINE_WORDS,
        "radiography": defined_terms.RADIOGRAPHY,
    }
    whole = {keyword: sorted(values) for keyword, values in defined_terms.WHOLE_VALUES.items()}
    return {
        "unknown": defined_terms.UNKNOWN,
        "whole_values": whole,
        "compound": defined_terms.COMPOUND.pattern,
        "codes": CODED_TERMS,
        **{name: sorted(values) for name, values in words.items()},
    }


def describe_gate(bundle: Bundle) -> dict[str, Any]:
    """Return the limits of the gate, with the limits of the bundle's own network."""
    return {
        "min_lung": gate.MIN_LUNG_FRACTION,
        "max_lung": gate.MAX_LUNG_FRACTION,
        "min_levels": gate.MIN_LEVELS,
        "min_range": gate.MIN_RANGE,
        "max_samples": gate.MAX_SAMPLES,
        "min_probability": gate.MIN_PROBABILITY,
        "max_relative_distance": gate.MAX_RELATIVE_DISTANCE,
        "doubted_clipping": gate.DOUBTED_CLIPPING,
        "max_clipping": gate.MAX_CLIPPING,
        "contents": list(CONTENTS),
        "turns": list(TURNS),
        "view_size": list(GATE_SIZE),
        "view_limits": dict(GateRuntime(bundle.gate_graph).facts.limits),
    }


def read_graphs(bundle: Bundle) -> dict[str, bytes]:
    """Return the graphs that the page runs, by the names under which it asks for them.

    They are optimised here: in a browser, that takes more than half of the time until the page is ready.
    """
    if bundle.config.patient_columns:
        raise BundleError(f"{bundle.config.name}: takes patient data; the page in a browser screens images alone")
    return {"graph.onnx": optimise(bundle.folder / GRAPH), "view.onnx": optimise(bundle.gate_graph)}
