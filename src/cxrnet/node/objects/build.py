"""From a finding to the bytes of its objects. Everything that needs highdicom is imported through here."""

import io
import logging
import threading
import traceback
from collections.abc import Callable, Collection
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from cxrnet.errors import CxrNetError, ObjectError
from cxrnet.node.objects import SCORED_ONLY, presentation, report, secondary_capture, segmentation
from cxrnet.node.objects.identity import IMPLEMENTATION, Identity
from cxrnet.node.objects.source import Source, read_source
from cxrnet.quiet import quiet
from cxrnet.screening.finding import Finding

_BUILDERS: dict[str, Callable[[Identity], Dataset]] = {
    "lungs.seg.dcm": segmentation.lungs,
    "heatmap.seg.dcm": segmentation.heatmap,
    "report.sr.dcm": report.report,
    "panel.sc.dcm": secondary_capture.panel,
    "contours.gsps.dcm": presentation.contours,
}
_GREY_ONLY = frozenset({"contours.gsps.dcm"})

# pydicom and highdicom warn and log with values of the header; filters and levels are the same for all threads.
_QUIET = threading.Lock()


def build_objects(finding: Finding, path: Path, names: Collection[str]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The objects of a scored or refused finding, bytes of a DICOM file each by file name, and what was corrected.

    A heat map is left out if the finding has none. An ObjectError says that one of them cannot be made.
    """
    with _QUIET, quiet("pydicom", "highdicom", level=logging.CRITICAL + 1):
        source = read_source(finding, path)
        identity = Identity(finding=finding, source=source)
        left_out = set() if finding.heatmaps else set(SCORED_ONLY)
        corrections = source.corrections
        if source.is_colour and _GREY_ONLY & set(names):
            left_out |= _GREY_ONLY
            corrections += ("no presentation state was made, since the pixels are stored as colour",)
        return {name: _make(name, identity) for name in names if name not in left_out}, corrections


def _make(name: str, identity: Identity) -> bytes:
    source = identity.source
    try:
        made = _BUILDERS[name](identity)
        return _encode(made, source)
    except CxrNetError:
        raise
    except Exception as error:  # its text may quote the header, its place cannot
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
        problem = f"{name} could not be made ({where})"
        raise ObjectError(
            "UNREADABLE", f"{source.name}: {problem}; its header is unusual, please report it without the file"
        ) from None


def _encode(made: Dataset, source: Source) -> bytes:
    """The file of an object: with patient and study of its source, without what would differ between two runs."""
    for element in made.iterall():
        if element.keyword == "ReferencedSOPClassUID" and element.value == source.reference.SOPClassUID:
            element.value = UID(source.sop_class)
    for tag in source.patient_study.keys():  # noqa: SIM118  (items would be converted)
        made[tag] = source.patient_study.get_item(tag)
    for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
        if keyword in made:
            del made[keyword]
    made.SeriesDate, made.SeriesTime = source.date_time
    for equipment in made.ContributingEquipmentSequence:
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION)
    made.file_meta.ImplementationVersionName = "CXRNET"
    made.preamble = bytes(128)
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()
