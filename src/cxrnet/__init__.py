"""Lungs, Covid scores and heat maps from chest radiographs: CXR-Net as software. Research use only.

    from cxrnet import Pipeline

    with Pipeline.load("covid") as pipeline:
        finding = pipeline.screen("chest.dcm")

Names are loaded when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrnet.errors import CxrNetError, RadiographError
    from cxrnet.imaging.decoding import read_radiograph
    from cxrnet.imaging.radiograph import Limits, Radiograph
    from cxrnet.model.bundle import Bundle
    from cxrnet.model.registry import open_bundle
    from cxrnet.screening.finding import Finding
    from cxrnet.screening.heatmap import HeatMaps
    from cxrnet.screening.pipeline import Pipeline
    from cxrnet.screening.segmentation import Segmentation

_HOMES = {
    "Bundle": "cxrnet.model.bundle",
    "CxrNetError": "cxrnet.errors",
    "Finding": "cxrnet.screening.finding",
    "HeatMaps": "cxrnet.screening.heatmap",
    "Limits": "cxrnet.imaging.radiograph",
    "Pipeline": "cxrnet.screening.pipeline",
    "Radiograph": "cxrnet.imaging.radiograph",
    "RadiographError": "cxrnet.errors",
    "Segmentation": "cxrnet.screening.segmentation",
    "open_bundle": "cxrnet.model.registry",
    "read_radiograph": "cxrnet.imaging.decoding",
}

__all__ = [
    "Bundle",
    "CxrNetError",
    "Finding",
    "HeatMaps",
    "Limits",
    "Pipeline",
    "Radiograph",
    "RadiographError",
    "Segmentation",
    "open_bundle",
    "read_radiograph",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
