"""A finding as DICOM objects that a PACS files under the study of the radiograph, and that viewers show.

highdicom is imported when an object is made, not before: it belongs to the extra `dicom`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from cxrnet.atomic import remove, write_atomic
from cxrnet.errors import require

if TYPE_CHECKING:
    from cxrnet.screening.finding import Finding

__all__ = ["FILES", "OBJECTS", "SCORED_ONLY", "WrittenObjects", "check_installed", "write_objects"]

OBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "seg": "lungs.seg.dcm, the lungs as a binary SEG, and heatmap.seg.dcm, the heat map as a fractional SEG",
        "sr": "report.sr.dcm: scores, interval and reasons as a structured report, TID 1500",
        "sc": "panel.sc.dcm: the panel as a colour Secondary Capture, marked as not for clinical use",
        "gsps": "contours.gsps.dcm: the borders of the lungs as a Grayscale Softcopy Presentation State",
    }
)
"""The kinds of object that `--save` takes, and what it writes."""

FILES: Mapping[str, str] = MappingProxyType(
    {
        "lungs.seg.dcm": "seg",
        "heatmap.seg.dcm": "seg",
        "report.sr.dcm": "sr",
        "panel.sc.dcm": "sc",
        "contours.gsps.dcm": "gsps",
    }
)
"""Names of all files that one image can have, and their kinds."""

SCORED_ONLY = frozenset({"heatmap.seg.dcm"})
"""Files that a refused image does not have."""


class WrittenObjects(NamedTuple):
    """Paths of objects, and what was invalid in the radiograph's header and is corrected in them, for people."""

    paths: tuple[Path, ...] = ()
    corrections: tuple[str, ...] = ()


def write_objects(finding: Finding, source: Path, kinds: Collection[str], folder: Path) -> WrittenObjects:
    """Write the DICOM objects of one finding, each file whole or not there.

    Nothing is written if the source is not a DICOM file, or lacks what an object must refer to (ObjectError).
    """
    if finding.status == "failed":
        return WrittenObjects()
    wanted = [name for name, kind in FILES.items() if kind in kinds]
    content: dict[str, bytes] = {}
    corrections: tuple[str, ...] = ()
    if wanted:
        with require("dicom", "DICOM objects"):
            from cxrnet.node.objects.build import build_objects
        content, corrections = build_objects(finding, source, wanted)
    paths = []
    for name, kind in FILES.items():
        if name in content:
            write_atomic(folder / name, content[name])
            paths.append(folder / name)
        elif kind in kinds:
            remove(folder / name)  # the heat map of an earlier run in which the image was scored
    return WrittenObjects(tuple(paths), corrections)


def check_installed() -> None:
    """Import what objects are made with, so that a run that could not make any does not begin."""
    with require("dicom", "DICOM objects"):
        import cxrnet.node.objects.build  # noqa: F401
