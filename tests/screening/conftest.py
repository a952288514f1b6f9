"""A pipeline with a small model, and radiographs on disk."""

import cv2
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from cxrnet import Pipeline
from tests.decoders import kept_children
from tests.material import draw_xray

__all__ = ["kept_children"]


@pytest.fixture(scope="session")
def pipeline(small_bundle):
    with Pipeline.load(small_bundle) as opened:
        yield opened


@pytest.fixture
def chest(tmp_path):
    """Path of a made-up radiograph, PNG, 150 x 130 pixels wide and high."""
    path = tmp_path / "chest.png"
    cv2.imwrite(str(path), draw_xray(3, height=130, width=150)[0])
    return path


@pytest.fixture
def dicom(tmp_path):
    """Function that writes the made-up radiograph as DICOM with further attributes, and returns its path."""

    def write(name="chest.dcm", **attributes):
        pixels = draw_xray(3, height=130, width=150)[0]
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset = Dataset()
        dataset.file_meta = meta
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PhotometricInterpretation, dataset.Modality = 7, "MONOCHROME2", "CR"
        dataset.PixelData = pixels.tobytes()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        path = tmp_path / name
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write
