import logging
import traceback
import warnings
from dataclasses import replace
from hashlib import sha256

import pydicom
import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from cxrnet.errors import ObjectError
from cxrnet.node.objects.build import build_objects
from cxrnet.node.objects.conformance import conform
from cxrnet.node.objects.modules import ENCODING, PATIENT, PATIENT_STUDY, STUDY
from tests.node.objects.conftest import save, study_of

KEPT = {"StudyInstanceUID", "StudyDate", "StudyTime"}
TEXTS = [word for word in PATIENT_STUDY if dictionary_VR(word) in ("LO", "SH", "ST", "LT", "PN")]
TEXTS.remove("TimezoneOffsetFromUTC")


def canary(keyword):
    return f"CANARY{TEXTS.index(keyword):03}"


def test_all_attributes_are_of_the_standard_and_named_once():
    assert len({Tag(word) for word in PATIENT_STUDY}) == len(PATIENT) + len(STUDY) + len(ENCODING)


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_patient_and_study_come_out_as_they_went_in(made, tmp_path, syntax):
    dataset = study_of(**{keyword: canary(keyword) for keyword in TEXTS}, PregnancyStatus=4)
    dataset.OtherPatientIDsSequence = [Dataset()]
    dataset.OtherPatientIDsSequence[0].PatientID = "CANARY"
    dataset.ResponsiblePersonRole, dataset.PatientAlternativeCalendar = "OWNER", "JULIAN"
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    objects = made(save(dataset, tmp_path / "chest.dcm"), kinds={"seg", "sr"})
    for each in objects.values():
        assert [each[keyword].value for keyword in TEXTS] == [dataset[keyword].value for keyword in TEXTS]
        assert each.PregnancyStatus == 4
        assert each.OtherPatientIDsSequence[0].PatientID == "CANARY"
        assert all(each[keyword].value == dataset[keyword].value for keyword in KEPT)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("ISO_IR 192", "山田^太郎"), ("ISO_IR 100", "Müller^Jörg"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_names_in_any_character_set_come_out_byte_for_byte(made, study, encoding, name):
    path = study(SpecificCharacterSet=encoding, PatientName=name)
    inside = pydicom.dcmread(path).get_item("PatientName").value
    for each in made(path, kinds={"sr", "gsps"}).values():
        assert each.get_item("PatientName").value == inside
        assert each.PatientName == name


def test_nothing_of_the_patient_is_said_aloud(made, tmp_path, capfd, caplog, recwarn):
    with caplog.at_level(logging.DEBUG):
        dataset = study_of(**{word: canary(word) for word in TEXTS if dictionary_VM(word) == "1"})
        made(save(dataset, tmp_path / "chest.dcm"))
    said = capfd.readouterr()
    assert "CANARY" not in said.out + said.err + caplog.text
    assert not recwarn.list


@pytest.mark.parametrize(
    "keyword",
    ["PatientSex", "PatientBirthDate", "PatientAge", "StudyTime", "StudyDate", "ContentDate", "ContentTime", "Modality",
     "SeriesInstanceUID", "PatientOrientation", "PixelSpacing", "WindowCenter", "InstanceNumber", "ClinicalTrialSiteID",
     "PatientWeight", "SpecificCharacterSet", "Laterality", "LossyImageCompressionRatio", "BodyPartExamined"],
)  # fmt: skip
def test_what_breaks_the_rules_is_not_repeated(usual, tmp_path, capfd, caplog, recwarn, keyword):
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("ignore")
        dataset = study_of(WindowWidth="100", LossyImageCompression="01")
        dataset[keyword] = RawDataElement(Tag(keyword), dictionary_VR(Tag(keyword)), 8, b"CANARY1 ", 0, False, True)
        path, finding = save(dataset, tmp_path / "chest.dcm"), usual[1]
    caplog.clear()
    radiograph = replace(finding.radiograph, sha256=sha256(path.read_bytes()).hexdigest())
    reported = ""
    with caplog.at_level(logging.DEBUG):
        try:
            names = ("report.sr.dcm", "contours.gsps.dcm")  # the others take their time
            build_objects(finding.model_copy(update={"radiograph": radiograph}), path, names)
        except ObjectError as error:
            reported = "".join(traceback.format_exception(error))
    said = capfd.readouterr()
    assert "CANARY" not in reported + said.out + said.err + caplog.text
    assert not recwarn.list


def test_what_the_file_does_not_have_is_not_invented():
    assert conform(Dataset(), PATIENT_STUDY) == (Dataset(), ())
