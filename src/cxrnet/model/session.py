"""Graphs opened under ONNX Runtime, by the library that the user chose to run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxrnet.errors import BundleError, UsageError
from cxrnet.model.onnx_check import refuse_external_data

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""What `--provider` takes, and what ONNX Runtime calls it."""

PACKAGES = {"openvino": "onnxruntime-openvino", "cuda": "onnxruntime-gpu", "coreml": "onnxruntime, on a Mac"}
"""What brings a provider; it takes the place of the package `onnxruntime`."""

BLOCKS_A_THREAD = "4"
"""Parts into which the work of a thread is cut, so that one that is held up does not keep the others waiting.

Measured on two cores: 1.13 to 1.15 times faster than one part a thread; see docs/explanation/performance.md.
"""


def check_provider(provider: str) -> str:
    """Return ONNX Runtime's name of a provider that can be used here.

    Raises:
        UsageError: It is not known, or not installed.
    """
    if provider not in PROVIDERS:
        raise UsageError(f"--provider {provider}: is not known; choose from {', '.join(PROVIDERS)}")
    import onnxruntime

    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        msg = f"--provider {provider}: this onnxruntime has no {name}; install {PACKAGES[provider]} in place of it"
        raise UsageError(msg)
    return name


def open_session(path: Path, *, threads: int | None = None, provider: str = "cpu", profile: str | None = None) -> Any:
    """Return the graph in a file, ready to run.

    Args:
        path: The graph.
        threads: Threads of one call; None takes all cores.
        provider: One of `PROVIDERS`. What it cannot run is left to the CPU.
        profile: Beginning of the name of the file in which ONNX Runtime notes what each node takes; None for none.

    Raises:
        UsageError: The provider is not known, or not installed.
        BundleError: The provider is installed and does not work; or the file is no graph, or wants data from others.
    """
    import onnxruntime

    refuse_external_data(path.name, path.read_bytes())
    name = check_provider(provider)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    options.add_session_config_entry("session.dynamic_block_base", BLOCKS_A_THREAD)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    names = list(dict.fromkeys((name, PROVIDERS["cpu"])))
    session = onnxruntime.InferenceSession(str(path), options, providers=names)
    if name not in session.get_providers():  # ONNX Runtime falls back with no more than a line in its log
        msg = f"--provider {provider}: is installed and cannot be used (no device, or no driver); take --provider cpu"
        raise BundleError(msg)
    return session
