"""A graph under ONNX Runtime, opened when it is first needed, by the execution provider that the user chose."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cxrnet.arrays import AnyArray
from cxrnet.errors import BundleError, UsageError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""What `--provider` takes, and what ONNX Runtime calls it."""

PACKAGES = {"openvino": "onnxruntime-openvino", "cuda": "onnxruntime-gpu", "coreml": "onnxruntime, on a Mac"}
"""The package with a provider; it replaces the package `onnxruntime`."""

BLOCKS_PER_THREAD = "4"
"""Parts into which the work of a thread is cut, so that a delayed thread does not keep the others waiting.

Measured on two cores: 1.13 to 1.15 times faster than one part per thread; see docs/performance.md.
"""

_MAX_THREADS = 1024

EXTERNAL_DATA = b"location"
"""Key that names the file in which an ONNX tensor keeps its values.

Such paths have led out of their folder more than once (CVE-2022-25882, CVE-2024-27318, CVE-2026-34447), and a graph of
a bundle is one file, whose sha256 is that of all it computes with: a graph that contains the key is refused unread.
"""


def check_provider(provider: str) -> str:
    """Return ONNX Runtime's name of a provider that can be used here."""
    if provider not in tuple(PROVIDERS):
        raise UsageError(f"--provider {provider}: is not known; choose from {', '.join(PROVIDERS)}")
    import onnxruntime

    name = PROVIDERS[provider]
    if name not in onnxruntime.get_available_providers():
        package = PACKAGES[provider]
        raise UsageError(f"--provider {provider}: {name} is not in this onnxruntime; install {package} instead")
    return name


def optimise(path: Path) -> bytes:
    """Return a graph as ONNX Runtime optimises it for any CPU, so that a runtime can open it without doing so again.

    Operators are fused (level `extended`); layouts for one kind of processor, which the highest level adds, are not in
    it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with TemporaryDirectory() as folder:
        optimised = Path(folder) / path.name
        options.optimized_model_filepath = str(optimised)
        _create(path, options, [PROVIDERS["cpu"]])
        return optimised.read_bytes()


class Session:
    """One graph; safe to call from several threads.

    `threads` are those of one call; None takes all cores. What the `provider`, one of `PROVIDERS`, cannot run is left
    to the CPU. `profile` is the prefix of the file in which ONNX Runtime records the time of each node.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, provider: str = "cpu", profile: str | None = None
    ) -> None:
        self.path = path
        if threads is not None and (isinstance(threads, bool) or threads not in range(1, _MAX_THREADS + 1)):
            raise UsageError(
                f"threads={threads!r}: is not a whole number of 1 to {_MAX_THREADS}, or None for all cores"
            )
        self._threads = None if threads is None else int(threads)
        if provider != "cpu":  # the check imports ONNX Runtime
            check_provider(provider)
        self._provider = provider
        self._profile = profile
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, AnyArray]) -> list[AnyArray]:
        """Return the outputs with these names, or all of them."""
        found: list[AnyArray] = self.opened.run(outputs, inputs)
        return found

    @property
    def opened(self) -> Any:
        """The `onnxruntime.InferenceSession`, opened if need be; raises as `run` does."""
        with self._lock:
            if self._session is None:
                self._session = self._open()
            return self._session

    def open_in_background(self) -> None:
        """Start to open the graph in a thread of its own, while the caller does other things.

        The interpreter waits for that thread before it ends, also after an error: ONNX Runtime aborts the process
        when it is shut down half open.
        """
        threading.Thread(target=self._open_quietly).start()

    def _open_quietly(self) -> None:
        with suppress(Exception):  # `run` meets it again, and raises it
            _ = self.opened

    def _open(self) -> Any:
        import onnxruntime

        name = check_provider(self._provider)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads or 0
        options.log_severity_level = 3
        options.add_session_config_entry("session.dynamic_block_base", BLOCKS_PER_THREAD)
        if self._profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = self._profile
        names = list(dict.fromkeys((name, PROVIDERS["cpu"])))
        session = _create(self.path, options, names)
        if name not in session.get_providers():  # ONNX Runtime falls back with no more than a line in its log
            msg = f"--provider {self._provider}: cannot be used (no device, or no driver); take --provider cpu"
            raise BundleError(msg)
        return session


def _create(path: Path, options: Any, providers: list[str]) -> Any:
    import onnxruntime

    try:
        is_external = EXTERNAL_DATA in path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path.name}: cannot be opened ({error.strerror}); install it again") from error
    if is_external:
        msg = f"{path.name}: keeps weights in another file; a graph of a bundle is one file, export it again"
        raise BundleError(msg)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's own have no public base
        msg = f"{path.name}: cannot be opened as an ONNX graph ({type(error).__name__}); install it again"
        raise BundleError(msg) from error
