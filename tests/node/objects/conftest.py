"""Studies on disk, and the objects that are made of them."""

from importlib.metadata import files
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from cxrnet.node.objects import OBJECTS, write_objects
from cxrnet.screening.gate import Reason
from tests.material import draw_xray
from tests.screening.conftest import pipeline

__all__ = ["pipeline"]

UIDS = {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.4.5", "SOPInstanceUID": "1.2.3.4.5.6"}


def study_of(**attributes):
    """Return a made-up radiograph as a data set of CR, 150 pixels wide and 130 high, with these attributes."""
    pixels = draw_xray(3, height=130, width=150)[0]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
        "Doe^Jo",
        "7",
        "19700101",
        "O",
    )
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20240102", "030405", "9"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "A1", "Roe^Al"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.PatientOrientation = 2, 3, ["L", "F"]
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PhotometricInterpretation = 7, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    for keyword, value in {**UIDS, **attributes}.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def raw(dataset, **values):
    """Set attributes to bytes, as a file may hold them; return the data set."""
    for keyword, value in values.items():
        tag = Tag(keyword)
        dataset[tag] = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    return dataset


def table(bits=16, *, first=0, entries=256):
    """Return a rising table of so many bits, of 8 bits in packed bytes."""
    item, values = Dataset(), np.linspace(0, 2**bits - 1, entries)
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries, first, bits])
    item.add_new("LUTData", "OW", np.rint(values).astype("<u2" if bits > 8 else "u1").tobytes())
    item.ModalityLUTType = "OD"
    return item


def save(dataset, path):
    """Write a data set as a file, in the transfer syntax that it names."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = UIDS["SOPInstanceUID"]
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def study(tmp_path):
    """Function from attributes to the path of a made-up study of one radiograph; None leaves an attribute out."""
    return lambda **attributes: save(study_of(**attributes), tmp_path / "chest.dcm")


@pytest.fixture
def made(pipeline, tmp_path):
    """Function from a file to its objects by name, all kinds by default, of its finding or of the one given."""

    def make(path, finding=None, kinds=tuple(OBJECTS)):
        paths = write_objects(finding or pipeline.screen(path), path, kinds, tmp_path / "objects").paths
        return {each.name: pydicom.dcmread(BytesIO(each.read_bytes())) for each in paths}

    return make


@pytest.fixture(scope="session")
def usual(pipeline, tmp_path_factory):
    """The file of the made-up study, its finding and its objects by name; made once, so leave them as they are."""
    folder = tmp_path_factory.mktemp("usual")
    path = save(study_of(), folder / "chest.dcm")
    finding = pipeline.screen(path)
    paths = write_objects(finding, path, OBJECTS, folder / "objects").paths
    return path, finding, {each.name: pydicom.dcmread(BytesIO(each.read_bytes())) for each in paths}


@pytest.fixture(scope="session")
def refusal(usual, tmp_path_factory):
    """The objects by name of the same study had it been refused."""
    path, finding, _ = usual
    paths = write_objects(refused(finding), path, OBJECTS, tmp_path_factory.mktemp("refusal")).paths
    return {each.name: pydicom.dcmread(BytesIO(each.read_bytes())) for each in paths}


@pytest.fixture
def turned(pipeline, tmp_path):
    """Function from degrees to an image stored turned anticlockwise by so many, and its finding once corrected."""

    def turn(degrees):
        from cxrnet.screening.correction import correct_orientation

        dataset = study_of()
        pixels = np.rot90(dataset.pixel_array, degrees // 90)
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelData = pixels.tobytes()
        path = save(dataset, tmp_path / "turned.dcm")
        upright, steps = correct_orientation(pipeline.read(path), is_inverted=False, turn=degrees)
        return path, pipeline.screen(upright).model_copy(update={"corrections": steps})

    return turn


def refused(finding):
    """Return a finding as if the gate had refused it."""
    reasons = (Reason("LATERAL", "looks like a lateral view (99 % sure); a frontal one is needed"),)
    nothing = {"scores": {}, "folds": {}, "interval": {}, "spread": None, "heatmaps": None}
    nothing |= {"is_uncertain": None, "uncertainty_reason": None}
    return finding.model_copy(update={"status": "refused", "reasons": reasons, **nothing})


@pytest.fixture(scope="session")
def rg1():
    """Path of RG1, a chest radiograph of the package pydicom-data: CR, MONOCHROME1, 15 bits."""
    return next(file for file in files("pydicom-data") if file.name == "RG1_UNCR.dcm").locate()
