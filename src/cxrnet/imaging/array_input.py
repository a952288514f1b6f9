"""Arrays of any library, nested lists and Pillow images as NumPy arrays of grey values."""

import os
from typing import Any

import numpy as np

from cxrnet.arrays import AnyArray, Bool

_GREY_MODES = ("L", "I;16", "I;16B", "I;16L", "I", "F")  # of Pillow, whose arrays are the grey values
_MOST_CHROMA = 4  # of 255, between the channels of a grey picture


def is_array(source: object) -> bool:
    """Whether `source` is an array, a nested list or a Pillow image, and not a path or a file."""
    if isinstance(source, str | bytes | os.PathLike) or type(source).__module__.startswith("pydicom."):
        return False
    return isinstance(source, list | tuple) or hasattr(source, "__array__") or hasattr(source, "__array_interface__")


def grey_values(source: Any) -> tuple[AnyArray, Bool | None]:
    """The values in native byte order, and where they are masked: bool of the same shape, None for nowhere.

    Raises:
        ValueError: It is no array of real numbers, or an image in colour; the text says which.
    """
    mask = None
    try:
        if type(source).__module__.startswith("PIL."):
            values = _of_pillow(source)
        elif isinstance(source, np.ma.MaskedArray):
            values, mask = np.asarray(source.data), np.ma.getmaskarray(source)
        else:
            values = np.asarray(_of_torch(source) if type(source).__module__ == "torch" else source)
    except ValueError:
        raise
    except Exception as error:  # whatever `__array__` of another library raises
        raise ValueError(f"NumPy makes no array of it ({type(error).__name__})") from error
    if values.dtype.kind not in "iuf":
        raise ValueError(f"the array is {values.dtype}")
    return values.astype(values.dtype.newbyteorder("="), copy=False), mask if mask is not None and mask.any() else None


def _of_torch(tensor: Any) -> Any:
    """A tensor that NumPy can take: without its gradient, in memory, and of a type that NumPy has."""
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def _of_pillow(image: Any) -> AnyArray:
    if image.mode in _GREY_MODES:
        return np.asarray(image)
    if image.mode == "La":  # which Pillow converts to LA alone
        image = image.convert("LA")
    channels = np.asarray(image.convert("RGB")).astype(np.int16)
    if np.ptp(channels, axis=-1).max() > _MOST_CHROMA:
        raise ValueError("the image is in colour")
    return channels[..., 1].astype(np.uint8)
