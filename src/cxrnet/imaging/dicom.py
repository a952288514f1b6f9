"""DICOM files to radiographs: Modality LUT, VOI LUT, polarity last (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2)."""

from io import BytesIO
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage

from cxrnet.imaging.attributes import (
    DESCRIPTIONS,
    KEPT_TAGS,
    code,
    find_identifiers,
    integer,
    kept_tags,
    label,
    patient_tags,
    spacing,
    text_of,
)
from cxrnet.imaging.colour import COLOURS, PALETTE_KEYWORDS, grey_of, samples_of
from cxrnet.imaging.frame import PIXEL_KEYWORDS, read_frame, syntax_name
from cxrnet.imaging.greyscale import apply_modality, find_padding, is_inverted, is_uneven
from cxrnet.imaging.levels import find_levels
from cxrnet.imaging.radiograph import (
    BURNED_IN,
    IDENTIFIERS,
    PATIENT_TAGS,
    Fault,
    Limits,
    Radiograph,
    describe_size,
    fault,
    find_range,
    refusing,
    scale,
    scaling_step,
)
from cxrnet.imaging.repair import repair
from cxrnet.imaging.sop_classes import kind_of_object
from cxrnet.imaging.voi import find_display

# Nothing else is parsed: less for a hostile file to reach, and no identifier enters the program.
_TAGS_READ = (
    *KEPT_TAGS,
    *DESCRIPTIONS,
    *PATIENT_TAGS,
    *PIXEL_KEYWORDS,
    *PALETTE_KEYWORDS,
    "SOPClassUID",
    "DirectoryRecordSequence",
    "NumberOfFrames",
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PresentationLUTShape",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor",
)


def read_dicom(source: BinaryIO, *, name: str, sha256: str, limits: Limits, identifiers: bool = False) -> Radiograph:
    """The radiograph in a DICOM file.

    Raises:
        RadiographError: NO_PIXELS, MULTI_FRAME, COLOUR, CONSTANT, TOO_SMALL, TOO_LARGE, or UNREADABLE for
            everything that is damaged, contradicts itself or has no decoder.
    """
    warnings: list[str] = []
    dataset = _read_dataset(source, name, warnings, (*_TAGS_READ, *IDENTIFIERS) if identifiers else _TAGS_READ)
    _refuse_other_objects(dataset, name)
    photometric = code(dataset, "PhotometricInterpretation").upper()
    dataset.PhotometricInterpretation = photometric  # pydicom compares it letter by letter
    stored = read_frame(dataset, name, limits, warnings, samples=samples_of(photometric, name))
    syntax = syntax_name(dataset.file_meta.TransferSyntaxUID)
    history = [f"read DICOM, {describe_size(stored)}, {_depth(dataset)}, {syntax}"]
    if photometric in COLOURS:
        stored = grey_of(stored, dataset, photometric, name)
        history.append(f"{photometric} with equal channels read as grey")

    levels = find_levels(stored, counted=is_uneven(dataset))
    padding = find_padding(levels, dataset, history, warnings)
    grey = apply_modality(levels.values, dataset, name, history)
    low, high = find_range(grey, background=padding)
    display = find_display(grey, dataset, low, high, name, history, warnings)
    if is_inverted(dataset, warnings):
        display = display.inverted()
        history.append("inverted once for MONOCHROME1 (0028,0004)")
    pixels = levels.picture(scale(name, display.grey, background=padding))
    history += scaling_step(display.grey, background=padding)

    spacing_mm, steps, spacing_warnings = spacing(dataset)
    tags, tag_warnings = kept_tags(dataset)
    if tags.get("BurnedInAnnotation", "").upper() == "YES":
        tag_warnings.append(BURNED_IN)
    return Radiograph(
        pixels=pixels,
        name=name,
        sha256=sha256,
        format="DICOM",
        spacing_mm=spacing_mm,
        history=(*history, *steps),
        warnings=(*warnings, *spacing_warnings, *tag_warnings),
        tags=tags,
        tone_curve=display.curve,
        identifiers=find_identifiers(dataset) if identifiers else None,
        patient=patient_tags(dataset),
    )


def _read_dataset(source: BinaryIO, name: str, warnings: list[str], tags: tuple[str, ...]) -> Dataset:
    """The attributes that matter, with a transfer syntax."""
    with refusing(name, "reading the DICOM header"):
        dataset = _parse(source, tags, warnings)
        # Values are made of bytes when they are first looked at: what cannot be one is found here.
        meta = {element.keyword: element.value for element in dataset.file_meta}
        syntax = meta.get("TransferSyntaxUID")
        for keyword in PIXEL_KEYWORDS:
            dataset.get(keyword)
    if not isinstance(syntax, str) or not syntax:  # several values, or a number where the VR is another
        dataset.file_meta.TransferSyntaxUID = _guess_syntax(dataset, name)
        guessed = syntax_name(dataset.file_meta.TransferSyntaxUID)
        warnings.append(f"{label('TransferSyntaxUID')} is {'no UID' if syntax else 'missing'}; read as {guessed}")
    return dataset


def _parse(source: BinaryIO, tags: tuple[str, ...], warnings: list[str]) -> Dataset:
    """The data set by pydicom; once more after a repair where it fails or finds no pixels."""
    failure: Exception | None = None
    dataset = None
    try:
        dataset = pydicom.dcmread(source, force=True, specific_tags=list(tags))
        if any(keyword in dataset for keyword in PIXEL_KEYWORDS):
            return dataset
    except Exception as error:  # pydicom raises errors of many kinds
        failure = error
    source.seek(0)
    repaired = repair(source.read())
    if repaired is not None:
        warnings.append("the structure of the data set is damaged and was repaired up to the pixel data")
        return pydicom.dcmread(BytesIO(repaired), force=True, specific_tags=list(tags))
    if dataset is None:
        assert failure is not None
        raise failure
    return dataset


def _guess_syntax(dataset: Dataset, name: str) -> UID:
    """The transfer syntax of a file that does not say, where the bytes leave only one.

    Raises:
        RadiographError: UNREADABLE where the pixels are compressed or in big-endian order.
    """
    is_implicit, is_little_endian = dataset.original_encoding
    is_compressed = "PixelData" in dataset and dataset["PixelData"].is_undefined_length
    if is_compressed or not is_little_endian:
        problem = f"{label('TransferSyntaxUID')} is missing and the pixels are not plain little endian"
        raise fault(Fault.UNREADABLE, name, problem, "export the file again with its file meta information")
    return ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian


def _refuse_other_objects(dataset: Dataset, name: str) -> None:
    """Refuse what is DICOM but not one grey picture, before its pixels are looked at."""
    is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    if is_directory or "DirectoryRecordSequence" in dataset:
        problem = "the file is a DICOMDIR, an index of other files"
        raise fault(Fault.NO_PIXELS, name, problem, "give the image files themselves")
    uid = text_of(dataset, "SOPClassUID") or text_of(dataset.file_meta, "MediaStorageSOPClassUID")
    kind = kind_of_object(uid)
    if kind is not None:  # some hold pixels, which are no picture: a segmentation, a dose
        raise fault(Fault.NO_PIXELS, name, f"the file is {kind}, not a radiograph", "give the image files")
    present = [keyword for keyword in PIXEL_KEYWORDS if keyword in dataset]
    if not present or not dataset[present[0]].value:
        problem = "the DICOM file holds no pixel data"
        raise fault(Fault.NO_PIXELS, name, problem, "it is truncated, or not an image")
    frames = integer(dataset, "NumberOfFrames", name, default=1)
    if frames > 1:
        raise fault(Fault.MULTI_FRAME, name, f"the file holds {frames} frames", "give one image a file")
    photometric = code(dataset, "PhotometricInterpretation").upper()
    if photometric not in ("MONOCHROME1", "MONOCHROME2", *COLOURS):
        problem = f"{label('PhotometricInterpretation')} is missing or not known"
        raise fault(Fault.UNREADABLE, name, problem, "a chest radiograph is MONOCHROME1 or MONOCHROME2")


def _depth(dataset: Dataset) -> str:
    """How the values are stored, for people."""
    if "PixelData" not in dataset:
        return "floating point"
    sign = "signed " if dataset.get("PixelRepresentation") == 1 else ""
    return f"{dataset.BitsStored}-bit {sign}{code(dataset, 'PhotometricInterpretation').upper()}"
