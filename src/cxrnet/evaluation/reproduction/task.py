"""What to reproduce, and what the report is made of."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from cxrnet.evaluation.evaluation import Observe
from cxrnet.model.bundle import Bundle

MANIFEST = "manifest.csv"


class Picture(BaseModel):
    """A PNG in the folder of its step, named from OUT, and its caption."""

    file: str
    caption: str


class Section(BaseModel):
    """One table or figure of the report; columns whose heading starts with `paper` hold what the paper prints."""

    title: str
    text: str = ""
    remarks: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to reproduce."""

    bundles: Sequence[Bundle]  # models: segmenters of either convention, and one with a classifier
    are_published: bool  # whether they hold the published weights, which have seen none of the classifier's images
    # folder with `segmentation/manifest.csv` (columns image, mask, and where they are there mask_style and split) and
    # `classification/manifest.csv` (image, label, split), or one of them
    data: Path
    out: Path  # folder of the results
    threshold: float  # grey value in [0, 1] of Table 3
    jobs: int
    resamples: int  # bootstrap resamples
    # called with the title of an evaluation that starts; gives what observes its images
    progress: Callable[[str], AbstractContextManager[Observe]]

    def segmenter(self, *, with_heart: bool) -> Bundle | None:
        """Return the first model whose lungs run behind the heart, or leave it out; None without one."""
        return next((one for one in self.bundles if one.config.lungs_include_heart == with_heart), None)

    def classifier(self) -> Bundle | None:
        """Return the first model with a classifier, of the published ones that with the heart."""
        found = [one for one in self.bundles if one.config.classifier is not None]
        return min(found, key=lambda one: not one.config.lungs_include_heart, default=None)

    def manifest(self, name: str) -> Path | None:
        """Return the manifest of `segmentation` or `classification`, None without one."""
        path = self.data / name / MANIFEST
        return path if path.is_file() else None


Make = Callable[[Path], list[Section]]
