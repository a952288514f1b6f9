"""What the service keeps of a screened image: the record, the arrays of its heat maps, and its pixels."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
from isal import igzip

from cxrnet.arrays import UInt16
from cxrnet.atomic import write_atomic
from cxrnet.errors import MissingExtraError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.node.objects import FILES, OBJECTS, WrittenObjects, check_installed, write_objects
from cxrnet.screening.finding import Finding
from cxrnet.screening.outputs import RECORD, write_finding

MAPS = "maps.npz"
PIXELS = "pixels.gz"
LAYOUT = "layout.json"
NOTE = "objects.txt"
"""Why there are no DICOM objects, where there are none."""

STEPS = 257
"""Of 65,535 in one grey of 255."""


def object_kinds() -> tuple[str, ...]:
    """Return the kinds of DICOM objects that can be made here: none without the extra `dicom`."""
    try:
        check_installed()
    except MissingExtraError:
        return ()
    return tuple(OBJECTS)


def write_results(finding: Finding, source: Path, kinds: Collection[str], folder: Path) -> WrittenObjects:
    """Write what the page shows of a finding, and DICOM objects of a DICOM file; the record comes last.

    Args:
        finding: Scored or refused.
        source: The file that was screened.
        kinds: DICOM objects that are wanted.
        folder: Where they go.

    Raises:
        OutputError: The disk cannot take it.
    """
    radiograph = finding.radiograph
    assert radiograph is not None
    write_atomic(folder / PIXELS, igzip.compress(deep_pixels(radiograph).tobytes(), 1, mtime=0))
    write_atomic(folder / LAYOUT, json.dumps(layout(radiograph)).encode())
    objects = WrittenObjects()
    if radiograph.format == "DICOM" and kinds:
        objects = _write_objects(finding, source, kinds, folder)
        notes = (f"DICOM objects: {each}" for each in objects.corrections)
        finding = finding.model_copy(update={"warnings": (*finding.warnings, *notes)})
    write_finding(finding, folder, ("npz", "json"))
    return objects


def _write_objects(finding: Finding, source: Path, kinds: Collection[str], folder: Path) -> WrittenObjects:
    """Write DICOM objects; a file that lacks what they must refer to is screened all the same."""
    from cxrnet.errors import ObjectError

    try:
        return write_objects(finding, source, kinds, folder)
    except ObjectError as error:
        write_atomic(folder / NOTE, str(error).replace(source.name, finding.input).encode())
        return WrittenObjects()


def deep_pixels(radiograph: Radiograph) -> UInt16:
    """Return uint16 [height, width], 0 to 65,535, little endian: the greys of a radiograph at their full depth."""
    return np.rint(radiograph.pixels * STEPS).astype("<u2")


def layout(radiograph: Radiograph) -> dict[str, object]:
    """Return what a viewer must know of the pixels: their size, and how the file wants them shown."""
    height, width = radiograph.pixels.shape
    return {"height": height, "width": width, "tone_curve": [list(point) for point in radiograph.tone_curve]}


def object_names(folder: Path) -> list[str]:
    """Return the names of the DICOM objects in a folder of results."""
    return [name for name in FILES if (folder / name).is_file()]


def read_record(folder: Path) -> dict[str, object]:
    """Return the record of a screened image."""
    record: dict[str, object] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return record
