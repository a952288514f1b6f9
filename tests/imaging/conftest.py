from collections.abc import Callable
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from cxrnet.imaging.files import read_file
from cxrnet.imaging.radiograph import Limits, Radiograph

Write = Callable[..., Path]


@pytest.fixture
def ramp() -> np.ndarray:
    """uint16 [64, 80], 0..5119: every value once."""
    return np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)


def dicom_of(pixels: np.ndarray, *, bits: int | None = None, **attributes: object) -> pydicom.Dataset:
    """An image of `pixels` with the least header that is complete; None removes an attribute."""
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if value is None:
            delattr(dataset, keyword)
    return dataset


def header(**attributes: object) -> Dataset:
    dataset = dicom_of(np.zeros((64, 64), np.uint16))
    dataset.set_original_encoding(False, True)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def table(entries: int, first: int, bits: int, data: object, *, vr: str = "OW") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries, first, bits])
    item.add_new("LUTData", vr, data)
    return Sequence([item])


@pytest.fixture
def write_dicom(tmp_path: Path) -> Write:
    def write(pixels: np.ndarray, *, bits: int | None = None, **attributes: object) -> Path:
        return save(dicom_of(pixels, bits=bits, **attributes), tmp_path / "xray.dcm")

    return write


def save(dataset: pydicom.Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def recompress(path: Path, syntax: int) -> Path:
    """The same image in another transfer syntax, by GDCM."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


def read(path: Path) -> Radiograph:
    return read_file(path, limits=Limits())
