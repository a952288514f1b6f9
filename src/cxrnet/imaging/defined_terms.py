"""The terms that a kept attribute may hold: what the standard defines for it, and what devices are known to write.

Everything else is left out of findings. A code string has the form of a name (`SMITH_JOHN` is one), and people type
into these fields what they have no other place for. An unknown term says nothing for or against a chest radiograph.
"""

from __future__ import annotations

import re
import unicodedata

# PS3.3 C.7.3.1.1.1, in use and retired.
_MODALITY = """
    ANN AR ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DR DS DSA DX EC ECG EEG EM EMG EOG
    EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF
    OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT
    RWV SC SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC
"""

RADIOGRAPHY = frozenset({"CR", "DX", "DR", "RG", "PX", "RF", "XA", "OT", "SC"})
"""Values of Modality (0008,0060) under which a chest radiograph can be filed."""

# The chest in the common European languages, without accents.
_CHEST = """
    CHEST THORAX THORACIC LUNG LUNGS RIB RIBS STERNUM CLAVICLE BRONCHUS CHESTPA CHESTAP THORAXPA THORAXAP CXR THX
    TORAX TORACE TORAKS TORAXS TORACICO TORACICA THORACIQUE POUMON POUMONS PULMON PULMONES
    PULMAO PULMOES POLMONE POLMONI
    PECHO PEITO PETTO POITRINE LUNGE LUNGEN BRUSTKORB LONGEN BORSTKAS BROSTKORG BRYSTKASSE LUNGOR KEUHKO KEUHKOT
    RINTAKEHA KLATKA PLUCA HRUDNIK PLICE MELLKAS TUDO PLAMANI AKCIGER GOGUS
"""
# PS3.16 Annex L, and everyday words for what is no chest radiograph.
_OTHER_PARTS = """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA APPENDIX ARM AXILLA BACK BILEDUCT BLADDER BONE BRACHIALPLEXUS
    BRAIN BREAST BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHESTABDOMEN CHESTABDPELVIS COCCYX COLON
    CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT
    FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE LARYNX LEG
    LIVER LSPINE LSSPINE LUMBAR MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV
    NOSE ORBIT OVARY PANCREAS PARATHYROID PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM
    SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS SKULL SPINE SPLEEN SSPINE STOMACH TESTIS THIGH THUMB THYMUS THYROID
    TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST
    ZYGOMA
    CERVICAL LUMBAL SACRUM SACRAL THORACOLUMBAR BELLY ABDOMINAL BREASTS MAMMA KNEES HANDS FEET
    FINGERS TOES HIPS SHOULDERS
    ELBOWS WRISTS ANKLES LEGS ARMS TEETH TOOTH DENTAL CRANIUM COLUMN HEEL BABYGRAM
"""
_LATERAL = "LL RL LAT LATERAL LLAT RLAT LATERALE LATERALIS LATERALES PROFIL PROFILE PROFILO PERFIL SEITLICH LATERO LTL"
_FRONTAL = "AP PA FRONTAL ANTEROPOSTERIOR POSTEROANTERIOR POSTERO ANTERO APS PAS FACE"
_DECUBITUS = "LLD RLD DECUBITUS DECUB DECUBITO LLDECUB RLDECUB"
_OBLIQUE = "LLO RLO RAO LAO RPO LPO OBL OBLIQUE OBLIQUES OBLICUA OBLIQUA SCHRAEG"
_VIEW = "ANTERIOR POSTERIOR AXIAL LORDOTIC"
_NEUTRAL = """
    UNKNOWN NONE OTHER PORT PORTABLE VIEW VIEWS LEFT RIGHT L R BOTH ONE TWO SINGLE UPRIGHT ERECT
    STANDING SUPINE SEMI SITTING
    PRONE BEDSIDE BED ADULT CHILD PEDIATRIC INFANT XR XRAY X RAY STANDARD ROUTINE WITH AND OF IN
"""
_ORIENTATION = re.compile(r"[APHFLR]{1,3}")  # PS3.3 C.7.6.1.1.1, of a biped
_PHOTOMETRIC = (
    "MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT",
)  # fmt: skip
WHOLE_VALUES = {
    "Modality": frozenset(_MODALITY.split()),
    "PhotometricInterpretation": frozenset(_PHOTOMETRIC),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
}
CHEST_WORDS, OTHER_WORDS = frozenset(_CHEST.split()), frozenset(_OTHER_PARTS.split())
LATERAL_WORDS, FRONTAL_WORDS = frozenset(_LATERAL.split()), frozenset(_FRONTAL.split())
DECUBITUS_WORDS, OBLIQUE_WORDS = frozenset(_DECUBITUS.split()), frozenset(_OBLIQUE.split())
KNOWN_WORDS = frozenset().union(
    CHEST_WORDS,
    OTHER_WORDS,
    LATERAL_WORDS,
    FRONTAL_WORDS,
    DECUBITUS_WORDS,
    OBLIQUE_WORDS,
    _VIEW.split(),
    _NEUTRAL.split(),
)

UNKNOWN = "(no defined term)"
"""What stands for a value without a known term: no letter of it is shown, since it can be a name."""


def presentable(keyword: str, text: str) -> str:
    """What may be shown of the value of an attribute: its known terms, or `UNKNOWN`; "" where it is empty.

    Args:
        keyword: Of the attribute.
        text: Its value; several are joined by a backslash.
    """
    if keyword == "PatientOrientation":
        parts = [part.strip().upper() for part in text.split("\\")]
        return "\\".join(parts) if all(_ORIENTATION.fullmatch(part) for part in parts if part) else _unknown(text)
    if keyword in WHOLE_VALUES:
        value = text.strip().upper()
        return value if value in WHOLE_VALUES[keyword] else _unknown(text)
    known = [word for word in _words(text) if word in KNOWN_WORDS or (word.isdigit() and len(word) == 1)]
    return " ".join(known) if known else _unknown(text)


def body_part(text: str) -> str:
    """Which part of the body a text names: "chest", "other", or "" where it names none."""
    words = set(_words(text))
    if words & OTHER_WORDS:
        return "other"
    return "chest" if words & CHEST_WORDS else ""


def projection(text: str) -> str:
    """Which view a text names: "lateral", "oblique", "decubitus", "frontal", or "" where it is lateral and frontal."""
    words = set(_words(text))
    if words & DECUBITUS_WORDS:
        return "decubitus"
    if words & OBLIQUE_WORDS:
        return "oblique"
    is_lateral, is_frontal = bool(words & LATERAL_WORDS), bool(words & FRONTAL_WORDS)
    if is_lateral == is_frontal:
        return ""
    return "lateral" if is_lateral else "frontal"


def plane(orientation: str) -> str:
    """What a Patient Orientation says: "lateral", "mirrored" (left and right exchanged), "frontal", or ""."""
    row, _, column = orientation.strip().upper().partition("\\")
    first = row[:1] + column[:1]
    if re.fullmatch("[AP][HF]?|[HF][AP]", first):
        return "lateral"
    if first in ("RF", "FL", "LH", "HR"):
        return "mirrored"
    return "frontal" if first in ("LF", "FR", "RH", "HL") else ""


def _words(text: str) -> list[str]:
    """The words of a text in capitals without accents; anything but letters and digits parts them."""
    plain = unicodedata.normalize("NFKD", text.upper()).encode("ascii", "ignore").decode()
    joined = re.sub(r"\b([AP])[./-]([AP])\b", r"\1\2", plain)
    return re.findall(r"[A-Z]+|[0-9]+", joined)


def _unknown(text: str) -> str:
    return UNKNOWN if _words(text) else ""
