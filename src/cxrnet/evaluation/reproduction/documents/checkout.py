"""The source checkout whose documents are written."""

from pathlib import Path

from cxrnet.errors import UsageError

README = "README.md"
LOG = "docs/explanation/training-log.md"
PERFORMANCE = "docs/explanation/performance.md"
GATE = "docs/explanation/gate.md"
LEAKAGE = "docs/explanation/leakage.md"
MODELS = "src/cxrnet/models"
RESULTS = "benchmarks/results"


def find_checkout(start: Path) -> Path:
    """Return the first folder, from `start` upwards, that is a source checkout of cxrnet."""
    for folder in (start.absolute(), *start.absolute().parents):
        if all((folder / name).exists() for name in (README, MODELS, RESULTS)):
            return folder
    raise UsageError(f"{start}: is not in a source checkout of cxrnet; change to one, or give it with --root")
