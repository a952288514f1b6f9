"""What timings were measured on."""

import platform
from importlib.metadata import version
from pathlib import Path

from cxrnet.parallel import cpu_count


def machine() -> dict[str, str | int]:
    """Return kind and `model` of the processor, the system and the cores that may be used; no name of the machine."""
    return {
        "processor": platform.machine(),
        "model": _processor_model(),
        "system": platform.system(),
        "cores": cpu_count(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the programs that take the time."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("cxrnet", "onnxruntime", "numpy", "opencv-python-headless")
    }


def _processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return " ".join(found[name] for name in ("model name", "cpu family", "model") if found.get(name))
