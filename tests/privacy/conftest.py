from tests.cli.conftest import cxrnet
from tests.decoders import kept_children
from tests.screening.conftest import pipeline

__all__ = ["cxrnet", "kept_children", "pipeline"]
