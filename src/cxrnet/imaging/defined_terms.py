"""The words that a kept attribute may hold: what the standard defines for it, and what devices are known to write.

Everything else is left out of findings. A code string has the form of a name (`SMITH_JOHN` is one), and people type
into these fields what they have no other place for.
"""

from __future__ import annotations

import re

UNKNOWN = "UNKNOWN TERM"
"""What stands in the place of a value that is none of the words."""

# PS3.3 C.7.3.1.1.1, in use and retired.
_MODALITY = """
    ANN AR ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DR DS DSA DX EC ECG EEG EM EMG EOG
    EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF
    OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT
    RWV SC SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC
"""

# PS3.16 Annex L, and forms of chest that devices write.
_BODY_PART = """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA APPENDIX ARM AXILLA BACK BILEDUCT BLADDER BONE BRACHIALPLEXUS BRAIN
    BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CLAVICLE
    COCCYX COLON CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR
    FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE LARYNX
    LEG LIVER LSPINE LSSPINE LUMBAR LUNG LUNGS MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN
    NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PARATHYROID PAROTID PATELLA PELVIS PENIS PHARYNX PORT PROSTATE RADIUS
    RADIUSULNA RECTUM RIB RIBS SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS SKULL SPINE SPLEEN SSPINE STERNUM STOMACH
    TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA UNKNOWN URETER
    URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA CHEST_PA CHEST_AP THORAX_PA THORAX_AP
"""
_VIEW = "AP PA LL RL LLD RLD LLO RLO RAO LAO RPO LPO LAT LATERAL LLAT RLAT OBL ANTERIOR POSTERIOR AXIAL DECUBITUS NONE"
_ORIENTATION = re.compile(r"[APHFLR]{1,3}")  # PS3.3 C.7.6.1.1.1, of a biped

TERMS = {
    "Modality": frozenset(_MODALITY.split()),
    "BodyPartExamined": frozenset(_BODY_PART.split()) | {"PORT CHEST", "CHEST PORT", "CHEST PA", "CHEST AP"},
    "ViewPosition": frozenset(_VIEW.split()),
    "PhotometricInterpretation": frozenset({"MONOCHROME1", "MONOCHROME2"}),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
}
"""Attribute -> the words that it may hold, in upper case; Patient Orientation has a form instead."""


def is_known(keyword: str, value: str) -> bool:
    r"""Whether every part of a code string, parts joined by "\", is a word that the attribute may hold."""
    parts = [part.strip().upper() for part in value.split("\\")]
    if keyword == "PatientOrientation":
        return all(_ORIENTATION.fullmatch(part) for part in parts if part)
    return all(part in TERMS[keyword] for part in parts if part)
