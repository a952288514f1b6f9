"""An image stored as DICOM in another way and read again by the reader of the program."""

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from cxrnet.arrays import Float32
from cxrnet.imaging.dicom import read_dicom
from cxrnet.imaging.radiograph import Limits, Radiograph

STORED_BITS = 12
"""Of the copies with a window or a VOI LUT."""


def with_window(pixels: Float32, share: float) -> Radiograph:
    """Store 12 bits with a window that leaves out `share` of the pixels, half of them at either end."""
    stored = _stored(pixels, STORED_BITS)
    low, high = np.quantile(stored, [share / 2, 1 - share / 2])
    width = max(high - low, 2.0)
    return _reread(stored, STORED_BITS, WindowCenter=round((low + high) / 2), WindowWidth=round(width))


def with_voi_lut(pixels: Float32, steepness: float) -> Radiograph:
    """Store 12 bits with a VOI LUT, a sigmoid of this slope between black and white; nothing is clipped."""
    grey = np.linspace(-0.5, 0.5, 2**STORED_BITS)
    curve = 1 / (1 + np.exp(-steepness * grey))
    curve = (curve - curve[0]) / (curve[-1] - curve[0])
    item = Dataset()
    item.LUTDescriptor = [2**STORED_BITS, 0, 16]
    item.LUTData = np.rint(curve * (2**16 - 1)).astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return _reread(_stored(pixels, STORED_BITS), STORED_BITS, VOILUTSequence=[item])


def as_monochrome1(pixels: Float32, depth: float) -> Radiograph:
    """Store `depth` bits with bright bones as small values and say so: MONOCHROME1."""
    bits = int(depth)
    inverted = 2**bits - 1 - _stored(pixels, bits)
    return _reread(inverted, bits, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")


def _stored(pixels: Float32, bits: int) -> Any:
    """Return whole numbers of `bits` bits, uint16 [height, width]."""
    return np.rint(pixels.astype(np.float64) / 255 * (2**bits - 1)).astype(np.uint16)


def _reread(stored: Any, bits: int, **attributes: Any) -> Radiograph:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation = "DX", "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelData = stored.astype("<u2").tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    file.seek(0)
    return read_dicom(file, name="copy.dcm", sha256="", limits=Limits())
