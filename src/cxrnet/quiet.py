"""Libraries kept quiet while they are called: their warnings and log lines are not for users."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*names: str, level: int = logging.ERROR) -> Iterator[None]:
    """Ignore warnings, and messages of the loggers of these names below `level`, in this block."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(level)
        try:
            yield
        finally:
            for logger, own in zip(loggers, before, strict=True):
                logger.setLevel(own)
