"""What the service keeps of a screened image: record, arrays of its heat maps, pixels and DICOM objects."""

import json
import os
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from isal import igzip

from cxrnet.atomic import write_atomic
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.node.objects import FILES, OBJECTS, SCORED_ONLY, WrittenObjects, write_objects
from cxrnet.screening.finding import Finding
from cxrnet.screening.outputs import RECORD, arrays, encode_npz
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web.intake import RequestError

MAPS = "maps.npz"
PIXELS = "pixels.gz"
LAYOUT = "layout.json"
SOURCE = "source"
"""The DICOM file that was screened, from which objects are made when they are asked for."""

OTHER = "other-"
"""Prefix of record and maps of the second model, where findings of two models are compared."""

STEPS = 257
"""Of 65,535 in one grey of 255."""


def object_kinds() -> tuple[str, ...]:
    """Return the kinds of DICOM objects that can be made here: none without the extra `dicom`."""
    return tuple(OBJECTS) if find_spec("highdicom") else ()


def write_results(
    finding: Finding, source: Path, kinds: Collection[str], folder: Path, *, other: Finding | None = None
) -> WrittenObjects:
    """Write what the page shows of a finding, and keep a DICOM file for its objects; the record comes last."""
    radiograph = finding.radiograph
    assert radiograph is not None
    deep = np.rint(radiograph.pixels * STEPS).astype("<u2")  # the greys at their full depth
    write_atomic(folder / PIXELS, igzip.compress(deep.tobytes(), 1, mtime=0))
    write_atomic(folder / LAYOUT, json.dumps(layout(radiograph)).encode())
    if is_kept(finding, kinds):
        os.link(source, folder / SOURCE)  # the spool deletes its own name of it
    if other is not None:
        _write_found(other, folder, OTHER)
    _write_found(finding, folder)
    return WrittenObjects()


def is_kept(finding: Finding, kinds: Collection[str]) -> bool:
    """Return whether the file of a finding is kept for DICOM objects of these kinds."""
    return finding.radiograph is not None and finding.radiograph.format == "DICOM" and bool(kinds)


def _write_found(finding: Finding, folder: Path, prefix: str = "") -> None:
    if finding.lung_probability is not None:
        write_atomic(folder / f"{prefix}{MAPS}", encode_npz(arrays(finding, full=False)))
    write_atomic(folder / f"{prefix}{RECORD}", finding.to_json().encode())


def write_missing_objects(pipeline: Pipeline, folder: Path) -> WrittenObjects:
    """Screen a kept DICOM file again, write its objects next to it, and return what was written.

    A RequestError says that the model is not the one whose results the folder holds.
    """
    record = read_record(folder)
    finding = pipeline.screen(folder / SOURCE, name=str(record["input"]))
    if finding.model != record["model"]:
        raise RequestError(409, "the image was screened with another model; upload it again for its DICOM objects")
    return write_objects(finding, folder / SOURCE, object_kinds(), folder)


def layout(radiograph: Radiograph) -> dict[str, object]:
    """Return what a viewer must know of the pixels: their size, and how the file wants them shown."""
    height, width = radiograph.pixels.shape
    return {"height": height, "width": width, "tone_curve": [list(point) for point in radiograph.tone_curve]}


def object_names(status: object, *, is_kept: bool) -> tuple[str, ...]:
    """Return the names of the DICOM objects that an image can have."""
    return tuple(name for name in FILES if is_kept and (status == "scored" or name not in SCORED_ONLY))


def read_record(folder: Path, prefix: str = "") -> dict[str, object]:
    """Return the record of a screened image; with the prefix `OTHER`, that of the second model."""
    record: dict[str, object] = json.loads((folder / f"{prefix}{RECORD}").read_text(encoding="utf-8"))
    return record
