"""The panel as a colour Secondary Capture (PS3.3 A.8.1): a picture that every viewer shows."""

import numpy as np
from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from cxrnet.arrays import UInt8
from cxrnet.node.objects.identity import DISCLAIMER, Identity, set_laterality
from cxrnet.screening.panel.canvas import MARGIN, TITLE, WIDTH, Canvas
from cxrnet.screening.panel.colour import SURFACE, WARNING
from cxrnet.screening.panel.panel import draw_panel

_BANNER = 72


def draw_capture(identity: Identity) -> UInt8:
    """The panel under a banner with `DISCLAIMER`, uint8 [height, width, 3], RGB.

    It is headed by the image's place in the study and not by the name of its file, which may be that of a patient.
    """
    banner = Canvas(_BANNER)
    banner.box(0, 0, WIDTH, _BANNER, SURFACE)
    banner.box(0, 0, 12, _BANNER, WARNING)
    banner.text(DISCLAIMER.upper(), MARGIN, 48, size=TITLE, colour=WARNING)
    return np.concatenate([banner.pixels, draw_panel(identity.finding, title=identity.source.title or "Radiograph")])


def panel(identity: Identity) -> SCImage:
    """The panel as a Secondary Capture."""
    source, reference = identity.source, identity.source.reference
    made = SCImage(
        pixel_array=draw_capture(identity),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # asked for, and taken back below
        study_instance_uid=reference.StudyInstanceUID,
        **identity.series("sc"),
    )
    # Several images and text: a viewer must not turn them, nor write L and R next to them (PS3.3 C.7.6.1).
    made.PatientOrientation = []
    set_laterality(made, source)
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    del made.DateOfSecondaryCapture, made.TimeOfSecondaryCapture
    if source.burned_in:
        made.BurnedInAnnotation = source.burned_in
    made.DerivationDescription = f"Panel of cxrnet, {identity.model}. {DISCLAIMER}."
    made.SourceImageSequence = [_reference(reference)]
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if keyword in reference:
            made[keyword] = reference[keyword]
    return made


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    purpose = Dataset()
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = code.value, "DCM", code.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item
