"""The same work by what pip can install: eager PyTorch for Module 1, Kymatio for the scattering transform.

A library that is not installed is left out.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import scipy.special
import torch
from torch.nn import functional

from cxrnet.arrays import UInt8
from cxrnet.export.bundle import load_network
from cxrnet.export.fused_scattering import FusedScattering
from cxrnet.export.onnx import export_module
from cxrnet.model.bundle import SEGMENTER, Bundle
from cxrnet.model.session import Session
from cxrnet.parallel import cpu_count

Tasks = Mapping[str, Callable[[], object]]


def segmenters(bundle: Bundle, image: UInt8) -> Tasks:
    """Return Module 1 on one image, as the graph and eager in both memory layouts."""
    grey = image[None, None].astype(np.float32) / 255
    session = Session(bundle.folder / SEGMENTER)
    tasks: dict[str, Callable[[], object]] = {"graph": lambda: session.run(None, {"image": grey})}
    torch.set_num_threads(cpu_count())
    contiguous = load_network(bundle).segmenter
    last = load_network(bundle).segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    given = torch.from_numpy(grey)
    given_last = given.contiguous(memory_format=torch.channels_last)

    def plain(network: Any, x: Any) -> object:
        with torch.inference_mode():
            return network(x)

    tasks["PyTorch, eager, contiguous"] = lambda: _without_phases(plain, contiguous, given)
    tasks["PyTorch, eager, channels last"] = lambda: _without_phases(plain, last, given_last)
    tasks["PyTorch, eager, as cxrnet trains"] = lambda: plain(last, given_last)
    return tasks


def scatterings(bundle: Bundle, images: UInt8) -> tuple[Tasks, dict[str, float]]:
    """Return the scattering transform of a batch, and how far each library's coefficients are from ours.

    Args:
        bundle: With a classifier.
        images: uint8 [batch, height, width], prepared images.

    Returns:
        The tasks, and for each library the largest difference as a
        part of the largest coefficient.
    """
    config, grey = bundle.config.classifier, bundle.config.standardisation
    assert config is not None
    assert grey is not None
    torch.set_num_threads(cpu_count())
    given = ((images.astype(np.float32) - grey.mean) / grey.std).astype(np.float32)
    few = torch.from_numpy(np.repeat(given[:1], 2, axis=0))
    content = export_module(FusedScattering(config.scattering).eval(), few, ("scattering",))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_count()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    tasks: dict[str, Callable[[], object]] = {"graph": lambda: session.run(None, {"image": given})}
    (ours,) = session.run(None, {"image": given})
    differences = {}
    for name, front_end, wanted in (
        ("Kymatio, torch", "kymatio.torch", torch.from_numpy(given)),
        ("Kymatio, NumPy", "kymatio.numpy", given),
    ):
        with _left_out_if_missing(), _quiet():
            made = importlib.import_module(front_end).Scattering2D(
                J=config.scattering.J, L=config.scattering.L, shape=images.shape[-2:], max_order=config.scattering.order
            )
            theirs = np.asarray(made(wanted))
            differences[name] = float(np.abs(theirs - ours).max() / np.abs(ours).max())
            tasks[name] = lambda made=made, wanted=wanted: made(wanted)  # type: ignore[misc]
    return tasks, differences


@contextmanager
def _left_out_if_missing() -> Iterator[None]:
    """Leave out a library that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(("kymatio", "scipy")):
            raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Import Kymatio 0.3.0 together with a SciPy that has lost a function of its 3-D transform."""
    had = hasattr(scipy.special, "sph_harm")
    if not had:
        scipy.special.sph_harm = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if not had:
            del scipy.special.sph_harm


def _without_phases(run: Callable[..., object], *given: object) -> object:
    """Run with the convolutions as PyTorch has them, not by phases."""

    def plain(x: Any, weight: Any, *, dilation: int) -> Any:
        padding = dilation * (weight.shape[-1] // 2)
        return functional.conv2d(x, weight, padding=padding, dilation=dilation, groups=x.shape[1])

    with patch("cxrnet.nn.blocks.depthwise", plain):
        return run(*given)
