"""The options of a run over many images; nothing heavy is imported for them."""

from __future__ import annotations

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
    """How a run over many images works.

    Attributes:
        bundle: Model bundle: a name or a path.
        task: `screen` writes findings; `segment` finds the lungs alone.
        save: What is written for each input; see `cxrnet.screening.saves`.
        jobs: Number of parallel workers; None takes the number of cores.
        image_column: Column of a manifest that holds the paths.
        auto_correct: As of `Pipeline.screen`.
        resume: Whether to resume an interrupted run.
        identifiers: Whether results hold `cxrnet.imaging.radiograph.IDENTIFIERS`.
        provider: ONNX Runtime execution provider.
        backend: `local`, or `ray` for a cluster.
        table: `csv` for one table; `parquet` for one per partition, which a run with `ray` writes as well.
        partition: Images per partition; None leaves it to `cxrnet.screening.plan`.
        write_objects: Writes the DICOM objects that `save` names.
    """

    bundle: str = DEFAULT_BUNDLE
    task: Task = "screen"
    save: frozenset[str] = frozenset({"json", "png"})
    jobs: int | None = None
    image_column: str = "image"
    auto_correct: bool = False
    resume: bool = False
    identifiers: bool = False
    provider: Provider = "cpu"
    backend: Backend = "local"
    table: Table = "csv"
    partition: int | None = None
    write_objects: ObjectWriter | None = field(default=None, repr=False)
