"""Everything that a user can cause: one clear line, no traceback.

Form of a message: `<thing>: <what is wrong, with the value>; <what is accepted, or what to do>`.
The command line prints the line, a service answers 4xx. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class CxrNetError(Exception):
    """Parent of all that a user can cause."""


class CodedError(CxrNetError):
    """An error with a machine-readable reason, `code`, next to the line for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RadiographError(CodedError):
    """An input that is not a readable radiograph; codes such as `MULTI_FRAME` are in `cxrnet.imaging.radiograph.Fault`.

    The message begins with the name of the input.
    """


class BundleError(CxrNetError):
    """A model on disk that is missing, damaged, or not what was asked for."""


class WeightsError(CxrNetError):
    """A file of published weights that is not one of those known."""


class ExportError(CxrNetError):
    """A network that has no ONNX form, or whose graph differs from it."""


class MissingExtraError(CxrNetError):
    """A feature whose libraries are not installed; the message names the extra."""


class ManifestError(CxrNetError):
    """A manifest, pack or public collection that cannot be used as it is; the message names the line or file."""


class LeakError(ManifestError):
    """A manifest that a check found errors in: unreadable files, or patients and images across splits."""


class TrainingError(CxrNetError):
    """A training that cannot continue, such as one whose loss is not finite."""


class OutputError(CxrNetError):
    """Results that could not be written."""

    @classmethod
    def of(cls, path: object, error: OSError) -> Self:
        """Return the error for a file or folder that the system refused to write."""
        if isinstance(error, FileExistsError | NotADirectoryError):
            return cls(f"{path}: cannot be written (a file is in the place of a folder); choose another folder")
        reason = error.strerror or type(error).__name__
        return cls(f"{path}: cannot be written ({reason}); free space or choose another folder")


class StoreError(CxrNetError):
    """An object store that does not answer, or refuses its credentials."""


class UsageError(CxrNetError):
    """A call that cannot be carried out as it was written."""


class NodeError(CxrNetError):
    """A node that cannot run as it was asked to: its spool, its port, its certificates."""


class PacsError(CodedError):
    """A PACS that could not be reached, or that did not take or give what it was asked for.

    The message names no patient, study or instance. `is_final` says that asking again is of no use.
    """

    def __init__(self, code: str, message: str, *, is_final: bool = False) -> None:
        super().__init__(code, message)
        self.is_final = is_final


class ObjectError(CodedError):
    """DICOM objects that cannot be made of an input, whose scores and pictures are not touched by that.

    The message begins with the name of the input and quotes no value of the header.
    """


@contextmanager
def require(extra: str, purpose: str) -> Iterator[None]:
    """Turn an import that fails inside the block into a MissingExtraError: one line that names the extra to install.

    `purpose` is what needs it. Example: `with require("train", "evaluate"): from cxrnet.evaluation import tasks`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cxrnet"):
            raise
        raise MissingExtraError(f"{purpose}: {error.name} is not installed; pip install 'cxrnet[{extra}]'") from error
