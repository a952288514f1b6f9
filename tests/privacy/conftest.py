from tests.screening.conftest import pipeline

__all__ = ["pipeline"]
