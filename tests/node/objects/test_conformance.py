import pytest
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxrnet.node.objects.conformance import conform
from cxrnet.node.objects.modules import PATIENT_STUDY
from tests.node.objects.conftest import raw


def conformed(**values):
    return conform(raw(Dataset(), **values), PATIENT_STUDY)


def value(found, keyword):
    return found.attributes.get_item(keyword).value


@pytest.mark.parametrize(
    ("keyword", "given", "wanted"),
    [
        ("StudyDate", b"2020.01.02", b"20200102"),
        ("PatientSex", b"Male", b"M "),
        ("StudyDescription", b"CHEST\\PA", b"CHEST/PA"),
    ],
)
def test_an_invalid_value_with_a_plain_meaning_is_rewritten(keyword, given, wanted):
    found = conformed(**{keyword: given})
    assert value(found, keyword) == wanted
    (correction,) = found.corrections
    assert "was rewritten" in correction
    assert given.decode() not in correction


@pytest.mark.parametrize(
    ("keyword", "given"),
    [("StudyDate", b"02/01/2020"), ("PatientAge", b"62"), ("PatientSize", b"180 cm"), ("PatientID", b"1" * 70)],
)
def test_an_invalid_value_without_a_plain_meaning_is_left_out(keyword, given):
    found = conformed(**{keyword: given})
    assert keyword not in found.attributes
    assert "was left out" in found.corrections[0]


@pytest.mark.parametrize(
    "values",
    [
        {"StudyInstanceUID": b"1.02.3"},
        {"PatientName": b" Doe ^Jo  "},
        {"SpecificCharacterSet": b"ISO_IR 192", "PatientName": "山田^太郎 ".encode()},
        {"MedicalAlerts": b"one\\two "},
        {"PatientWeight": b" 80 "},
    ],
)
def test_a_valid_value_keeps_its_bytes(values):
    found = conformed(**values)
    assert not found.corrections
    assert {keyword: value(found, keyword) for keyword in values if keyword != "SpecificCharacterSet"} == {
        keyword: content for keyword, content in values.items() if keyword != "SpecificCharacterSet"
    }


def test_text_is_written_again_in_a_set_that_the_standard_has():
    found = conformed(SpecificCharacterSet=b"windows-1251", PatientName="Иванов".encode("cp1251"))
    assert found.attributes.SpecificCharacterSet == "ISO_IR 192"
    assert found.attributes.PatientName == "Иванов"


def test_an_undeclared_latin_name_is_declared():
    found = conformed(SpecificCharacterSet=b"Not Supplied", PatientName="Müller".encode("latin-1"))
    assert found.attributes.SpecificCharacterSet == "ISO_IR 100"
    assert value(found, "PatientName") == "Müller".encode("latin-1")


def items(keyword, *contents):
    dataset = Dataset()
    setattr(dataset, keyword, [raw(Dataset(), **content) for content in contents])
    return conform(dataset, PATIENT_STUDY)


def test_a_missing_type_of_patient_id_is_added():
    found = items("OtherPatientIDsSequence", {"PatientID": b"X1"})
    assert found.attributes.OtherPatientIDsSequence[0].TypeOfPatientID == "TEXT"
    assert len(found.corrections) == 1


@pytest.mark.parametrize(
    ("keyword", "content"),
    [
        ("OtherPatientIDsSequence", {"IssuerOfPatientID": b"H "}),
        ("ProcedureCodeSequence", {"CodeValue": b"1 ", "CodingSchemeDesignator": b"L "}),
        ("ReferencedStudySequence", {"ReferencedSOPInstanceUID": b"1.2\0"}),
        ("IssuerOfAccessionNumberSequence", {"UniversalEntityID": b"x "}),
        ("ReferringPhysicianIdentificationSequence", {"InstitutionName": b"x "}),
        ("ConsentForClinicalTrialUseSequence", {"ConsentForDistributionFlag": b"YES "}),
    ],
)
def test_an_incomplete_item_is_left_out(keyword, content):
    found = items(keyword, content)
    assert keyword not in found.attributes
    assert "has an item without" in found.corrections[0]


def test_a_sequence_of_one_item_keeps_the_first():
    header = Dataset()
    header.IssuerOfAccessionNumberSequence = [Dataset(), Dataset()]
    for item, name in zip(header.IssuerOfAccessionNumberSequence, "AB", strict=True):
        item.LocalNamespaceEntityID = name
    (item,) = conform(header, PATIENT_STUDY).attributes.IssuerOfAccessionNumberSequence
    assert item.LocalNamespaceEntityID == "A"


@pytest.mark.parametrize("content", [{"ContextIdentifier": b"7 "}, {"ContextGroupExtensionFlag": b"Y "}])
def test_a_code_loses_an_incomplete_context(content):
    code = {"CodeValue": b"1 ", "CodingSchemeDesignator": b"L ", "CodeMeaning": b"x "}
    found = items("ProcedureCodeSequence", {**code, **content})
    (item,) = found.attributes.ProcedureCodeSequence
    assert {element.keyword for element in item} == set(code)
    assert "incomplete context" in found.corrections[0]


def test_what_cannot_be_read_or_holds_nothing_is_left_out():
    assert not len(items("ProcedureCodeSequence").attributes)
    found = conformed(PregnancyStatus=b"\1\0\1")
    assert not len(found.attributes)
    assert found.corrections


def test_attributes_that_need_each_other_come_together():
    animal = conformed(PatientSpeciesDescription=b"Dog ").attributes
    assert animal.PatientBreedDescription == ""
    assert list(animal.PatientBreedCodeSequence) == []
    found = conformed(ClinicalTrialSiteID=b"1 ", ResponsiblePerson=b"x ", PatientIdentityRemoved=b"YES ")
    assert {word for word in PATIENT_STUDY if Tag(word) in found.attributes} == {
        "PatientIdentityRemoved",
        "DeidentificationMethod",
    }
    assert len(found.corrections) == 3
