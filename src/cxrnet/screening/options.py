"""The options of a run over many images; nothing heavy is imported for them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from cxrnet.screening.finding import Finding

DEFAULT_BUNDLE, LUNGS_BUNDLE = "covid", "lungs"
"""Default bundles for screening and for lungs alone; both come with the package."""

Task = Literal["screen", "segment"]
Provider = Literal["cpu", "openvino", "cuda", "coreml"]
Backend = Literal["local", "ray"]
Table = Literal["csv", "parquet"]


class WrittenObjects(Protocol):
    """What was written."""

    @property
    def corrections(self) -> tuple[str, ...]:
        """Invalid values of the header that the objects do not repeat, for people; one entry per attribute."""
        ...


ObjectWriter = Callable[["Finding", Path, Collection[str], Path], WrittenObjects]
"""Writes DICOM objects of a finding: its file, the kinds to save, the folder. It may raise `ObjectError`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run over many images works."""

    bundle: str = DEFAULT_BUNDLE  # model bundle: a name or a path
    task: Task = "screen"  # `screen` writes findings; `segment` finds the lungs alone
    save: frozenset[str] = frozenset({"json", "png"})  # what is written for each input; see `cxrnet.screening.saves`
    jobs: int | None = None  # number of parallel workers; None takes the number of cores
    image_column: str = "image"  # column of a manifest that holds the paths
    auto_correct: bool = False  # as of `Pipeline.screen`
    resume: bool = False  # whether to resume an interrupted run
    identifiers: bool = False  # whether results hold `cxrnet.imaging.radiograph.IDENTIFIERS`
    provider: Provider = "cpu"  # ONNX Runtime execution provider
    backend: Backend = "local"  # `local`, or `ray` for a cluster
    table: Table = "csv"  # `csv` for one table; `parquet` for one per partition, which a run with `ray` writes as well
    partition: int | None = None  # images per partition; None leaves it to `cxrnet.screening.plan`
    write_objects: ObjectWriter | None = field(default=None, repr=False)  # writes the DICOM objects that `save` names
