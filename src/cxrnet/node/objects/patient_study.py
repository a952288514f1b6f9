"""What a PACS files by: the attributes of patient and study, which every object carries as the radiograph has them."""

from __future__ import annotations

from copy import deepcopy

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
    "PatientBirthDate", "PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar", "PatientSex", "PatientBirthTime", "QualityControlSubject",
    "ReferencedPatientSequence", "OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup",
    "EthnicGroupCodeSequence", "PatientComments", "PatientSpeciesDescription", "PatientSpeciesCodeSequence",
    "PatientBreedDescription", "PatientBreedCodeSequence", "BreedRegistrationSequence", "StrainDescription",
    "StrainNomenclature", "StrainCodeSequence", "ResponsiblePerson", "ResponsiblePersonRole",
    "ResponsibleOrganization", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "ClinicalTrialSponsorName", "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID", "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)  # fmt: skip
"""Patient and Clinical Trial Subject modules (PS3.3 C.7.1.1, C.7.1.3)."""

STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence", "StudyID", "AccessionNumber", "IssuerOfAccessionNumberSequence",
    "StudyDescription", "PhysiciansOfRecord", "PhysiciansOfRecordIdentificationSequence",
    "NameOfPhysiciansReadingStudy", "PhysiciansReadingStudyIdentificationSequence", "RequestingService",
    "RequestingServiceCodeSequence", "ReferencedStudySequence", "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence", "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence",
    "PatientAge", "PatientSize", "PatientWeight", "PatientBodyMassIndex", "PatientSizeCodeSequence",
    "MeasuredAPDimension", "MeasuredLateralDimension", "MedicalAlerts", "Allergies", "SmokingStatus",
    "PregnancyStatus", "LastMenstrualDate", "PatientState", "Occupation", "AdditionalPatientHistory", "AdmissionID",
    "IssuerOfAdmissionIDSequence", "ServiceEpisodeID", "IssuerOfServiceEpisodeIDSequence",
    "ServiceEpisodeDescription", "PatientSexNeutered", "ReasonForVisit", "ReasonForVisitCodeSequence",
    "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription", "ConsentForClinicalTrialUseSequence",
)  # fmt: skip
"""General Study, Patient Study and Clinical Trial Study modules (PS3.3 C.7.2.1, C.7.2.2, C.7.2.3)."""

ENCODING = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
"""What the text and the times of those are written in (PS3.3 C.12.1)."""

FILED = (*PATIENT, *STUDY, *ENCODING)

_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)


def tag_of(keyword: str) -> BaseTag:
    """The tag of an attribute of the standard."""
    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"{keyword}: is no attribute of the standard")
    return Tag(number)


def filed(header: Dataset) -> Dataset:
    """What `FILED` names of a header, to be put into other datasets.

    Texts are the bytes of the file: neither read nor judged, so that they come out as they came in. Sequences and
    numbers are written anew, since the file may be of another byte order.
    """
    kept = Dataset()
    for keyword in FILED:
        tag = tag_of(keyword)
        if tag not in header:
            continue
        element = header.get_item(tag)
        representation = dictionary_VR(tag)
        if isinstance(element, RawDataElement) and representation in _TEXT:
            value = element.value or b""
            value += b"\0" * (len(value) % 2) if representation == "UI" else b" " * (len(value) % 2)
            kept[tag] = element._replace(VR=representation, value=value, length=len(value))
        else:
            kept[tag] = deepcopy(header[tag])
    return kept
