"""Attributes of patient and study that objects carry, and which must come together (PS3.3 C.7.1, C.7.2, 10.1)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

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

PATIENT_STUDY = (*PATIENT, *STUDY, *ENCODING)

_CODE: Final = (("CodeValue", "LongCodeValue", "URNCodeValue"), ("CodeMeaning",))
_REFERENCE: Final = (("ReferencedSOPClassUID",), ("ReferencedSOPInstanceUID",))
_NAMESPACE: Final = (("LocalNamespaceEntityID", "UniversalEntityID"),)
_PERSON: Final = (("PersonIdentificationCodeSequence",), ("InstitutionName", "InstitutionCodeSequence"))

_REQUIRED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "OtherPatientIDsSequence": (("PatientID",),),
        "ReferencedPatientSequence": _REFERENCE,
        "ReferencedStudySequence": _REFERENCE,
        "IssuerOfAccessionNumberSequence": _NAMESPACE,
        "IssuerOfAdmissionIDSequence": _NAMESPACE,
        "IssuerOfServiceEpisodeIDSequence": _NAMESPACE,
        "AssigningFacilitySequence": _NAMESPACE,
        "BreedRegistrationSequence": (("BreedRegistrationNumber",), ("BreedRegistryCodeSequence",)),
    }
)
"""Sequence -> what each item must have: one of each group."""

SINGLE: Final = frozenset({keyword for keyword in _REQUIRED if keyword.startswith("IssuerOf")}) | {
    "IssuerOfPatientIDQualifiersSequence", "AssigningFacilitySequence", "AssigningJurisdictionCodeSequence",
    "AssigningAgencyOrDepartmentCodeSequence", "ReferencedPatientSequence", "InstitutionCodeSequence",
}  # fmt: skip
"""Sequences that hold one item at most."""

_CONTEXT: Final = (
    "ContextIdentifier", "MappingResource", "ContextGroupVersion", "ContextGroupExtensionFlag",
    "ContextGroupLocalVersion", "ContextGroupExtensionCreatorUID",
)  # fmt: skip
"""Where a code was chosen from: the first needs the next two, a flag of Y the last two (PS3.3 8.8)."""

_PAIRS: Final = (
    ("ResponsiblePerson", "ResponsiblePersonRole"),
    ("ResponsiblePersonRole", "ResponsiblePerson"),
    ("PatientBirthDateInAlternativeCalendar", "PatientAlternativeCalendar"),
    ("PatientDeathDateInAlternativeCalendar", "PatientAlternativeCalendar"),
    ("ClinicalTrialProtocolEthicsCommitteeApprovalNumber", "ClinicalTrialProtocolEthicsCommitteeName"),
)
"""What is left out where the other is missing."""

_TRIAL: Final = (
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName", "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)  # fmt: skip
_METHOD: Final = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
_ANIMAL: Final = (
    "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription", "PatientBreedCodeSequence",
    "BreedRegistrationSequence", "StrainDescription", "StrainNomenclature", "StrainCodeSequence",
)  # fmt: skip
_MODULES: Final = (
    (
        _TRIAL,
        (
            ("ClinicalTrialSponsorName",),
            ("ClinicalTrialProtocolID",),
            ("ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
        ),
        "ClinicalTrialProtocolID",
        "or sponsor or subject is missing; the clinical trial was left out",
    ),
    (_ANIMAL, (_ANIMAL[:2],), "PatientSpeciesDescription", "is missing; breed and strain were left out"),
)
"""Attributes that are left out together where one of each of some groups is not there; the correction's two parts."""

_EMPTY: Final = (
    (_TRIAL, ("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName")),
    (("ClinicalTrialTimePointDescription", "ConsentForClinicalTrialUseSequence"), ("ClinicalTrialTimePointID",)),
    (_ANIMAL, ("PatientBreedDescription", "PatientBreedCodeSequence", "BreedRegistrationSequence")),
    (_ANIMAL, ("PatientSexNeutered", "ResponsibleOrganization", "ResponsiblePerson")),
)
"""Where one of the first is there, all of the second must be, but may be empty (type 2)."""


def item_problem(sequence: str, item: Dataset) -> tuple[str, bool]:
    """Return what is wrong with an item of a sequence ("" where nothing is), and whether it can be kept.

    A missing Type of Patient ID, which says how an ID is written down, is added.
    """
    required = _REQUIRED.get(sequence, ())
    if sequence.endswith("IdentificationSequence"):
        required = _PERSON
    elif sequence.endswith("CodeSequence"):
        required = (*_CODE, ("CodingSchemeDesignator",)) if has_value(item, "CodeValue") else _CODE
    elif sequence == "ConsentForClinicalTrialUseSequence":
        required = _consent(item)
    if has_value(item, "UniversalEntityID"):
        required = (*required, ("UniversalEntityIDType",))
    for names in required:
        if not any(has_value(item, name) for name in names):
            return f"has an item without {names[0]}, which was left out", False
    if sequence.endswith("CodeSequence") and not _has_context(item):
        for keyword in _CONTEXT:
            item.pop(keyword, None)
        return "has an item with an incomplete context of its code, which was left out", True
    if sequence == "OtherPatientIDsSequence" and not has_value(item, "TypeOfPatientID"):
        item.TypeOfPatientID = "TEXT"
        return "has an item without TypeOfPatientID; TEXT was added", True
    return "", True


def _has_context(code: Dataset) -> bool:
    context, extension = ({has_value(code, keyword) for keyword in part} for part in (_CONTEXT[:3], _CONTEXT[4:]))
    is_extended = _text(code, "ContextGroupExtensionFlag") not in ("", "N")
    return len(context) == 1 and extension == {is_extended}


def complete_modules(attributes: Dataset) -> Iterator[tuple[str, str]]:
    """Add and remove attributes so that those which depend on each other are there together.

    Each change gives a keyword and what was done.
    """
    for keyword, other in _PAIRS:
        if has_value(attributes, keyword) and not has_value(attributes, other):
            del attributes[keyword]
            yield keyword, f"comes without {other} and was left out"
    yield from _remove_incomplete(attributes)
    if _text(attributes, "PatientIdentityRemoved") == "YES" and not _has_all(attributes, (_METHOD,)):
        attributes.DeidentificationMethod = "Not stated in the radiograph"
        yield "DeidentificationMethod", 'was missing; "Not stated in the radiograph" was added'
    if "PregnancyStatus" in attributes and attributes.PregnancyStatus not in (None, 1, 2, 3, 4):
        del attributes.PregnancyStatus
        yield "PregnancyStatus", "is not 1 to 4 and was left out"
    for present, needed in _EMPTY:
        missing = [keyword for keyword in needed if keyword not in attributes]
        if any(keyword in attributes for keyword in present):
            for keyword in missing:
                setattr(attributes, keyword, [] if keyword.endswith("Sequence") else "")
                yield keyword, "was missing and was added without a value"


def _remove_incomplete(attributes: Dataset) -> Iterator[tuple[str, str]]:
    for module, required, keyword, problem in _MODULES:
        if any(each in attributes for each in module) and not _has_all(attributes, required):
            for each in module:
                attributes.pop(each, None)
            yield keyword, problem


def _has_all(dataset: Dataset, required: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether one attribute of each group has a value."""
    return all(any(has_value(dataset, name) for name in names) for names in required)


def has_value(dataset: Dataset, keyword: str) -> bool:
    """Return whether an attribute is there and not empty; text is not decoded for it."""
    if keyword not in dataset:
        return False
    element = dataset.get_item(keyword)
    return bool((element.value or b"").strip(b" \0")) if isinstance(element, RawDataElement) else not element.is_empty


def _text(dataset: Dataset, keyword: str) -> str:
    """Return a code string, which has no character set, without converting it."""
    element = dataset.get_item(keyword) if keyword in dataset else None
    value = b"" if element is None else element.value or b""
    return str(value.decode("latin-1") if isinstance(value, bytes) else value).strip(" \0")


def _consent(item: Dataset) -> tuple[tuple[str, ...], ...]:
    """What an item about the consent to a clinical trial must have (PS3.3 C.7.2.3)."""
    required: tuple[tuple[str, ...], ...] = (("ConsentForDistributionFlag",),)
    if _text(item, "ConsentForDistributionFlag") in ("YES", "WITHDRAWN"):
        required += (("DistributionType",),)
    if _text(item, "DistributionType") == "NAMED_PROTOCOL":
        required += (("ClinicalTrialProtocolID",),)
    return required
