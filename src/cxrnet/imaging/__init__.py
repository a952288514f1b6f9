"""From any file to a `Radiograph`, and from a `Radiograph` to a prepared image.

Names are loaded when they are first used, so that a child process can be started before NumPy is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrnet.imaging.decoding import Decoder, read_radiograph
    from cxrnet.imaging.radiograph import Fault, Limits, Radiograph

_HOMES = {
    "Decoder": "decoding",
    "Fault": "radiograph",
    "Limits": "radiograph",
    "Radiograph": "radiograph",
    "read_radiograph": "decoding",
}

__all__ = ["Decoder", "Fault", "Limits", "Radiograph", "read_radiograph"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
