"""The terms that a kept attribute may hold: what the standard defines for it, and what devices are known to write.

Everything else is left out of findings. A code string has the form of a name (`SMITH_JOHN` is one), and people type
into these fields what they have no other place for. An unknown term says nothing for or against a chest radiograph.
"""

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
    CHEST THORAX THORACIC LUNG LUNGS RIB RIBS STERNUM CLAVICLE BRONCHUS CXR THX
    TORAX TORACE TORAKS TORAXS TORACICO TORACICA THORACIQUE POUMON POUMONS PULMON PULMONES
    PULMAO PULMOES POLMONE POLMONI
    PECHO PEITO PETTO POITRINE LUNGE LUNGEN BRUSTKORB LONGEN BORSTKAS BROSTKORG BRYSTKASSE LUNGOR KEUHKO KEUHKOT
    RINTAKEHA KLATKA PLUCA HRUDNIK PLICE MELLKAS TUDO PLAMANI AKCIGER GOGUS HEMITHORAX
"""
# PS3.16 Annex L, and everyday words for what is no chest radiograph.
_OTHER_PARTS = """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA APPENDIX ARM AXILLA BACK BILEDUCT BLADDER BONE BRACHIALPLEXUS
    BRAIN BREAST BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK COCCYX COLON
    CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT
    FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE LARYNX LEG
    LIVER LSPINE LSSPINE LUMBAR MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK
    NOSE ORBIT OVARY PANCREAS PARATHYROID PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM
    SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS SKULL SPINE SPLEEN SSPINE STOMACH TESTIS THIGH THUMB THYMUS THYROID
    TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST
    ZYGOMA
    CERVICAL LUMBAL SACRUM SACRAL THORACOLUMBAR BELLY ABDOMINAL BREASTS MAMMA KNEES HANDS FEET
    FINGERS TOES HIPS SHOULDERS
    ELBOWS WRISTS ANKLES LEGS ARMS TEETH TOOTH DENTAL CRANIUM COLUMN HEEL BABYGRAM
    ABD ABDO KUB PELVIC NASAL FACIAL SINUSES MAMMO TIB FIB TIBFIB METATARSAL METACARPAL SCAPHOID SACROILIAC SCOLIOSIS
    BAUCH BECKEN HUEFTE HUFTE SCHULTER OBERARM UNTERARM ELLENBOGEN ELLBOGEN HANDGELENK OBERSCHENKEL UNTERSCHENKEL KNIE
    SPRUNGGELENK FUSS ZEHE ZEHEN FERSE SCHAEDEL SCHADEL KOPF KIEFER HWS BWS LWS WIRBELSAEULE WIRBELSAULE HERZ
    VENTRE BASSIN HANCHE EPAULE BRAS COUDE POIGNET MAIN DOIGT CUISSE GENOU JAMBE CHEVILLE PIED CRANE RACHIS COEUR
    CADERA HOMBRO BRAZO CODO ANTEBRAZO MUNECA MANO DEDO MUSLO RODILLA PIERNA TOBILLO PIE CRANEO COLUMNA CUELLO CORAZON
    ADDOME BACINO ANCA SPALLA BRACCIO GOMITO POLSO DITO COSCIA GINOCCHIO GAMBA CAVIGLIA PIEDE CRANIO RACHIDE COLONNA
    COLLO CUORE ABDOME BACIA QUADRIL OMBRO BRACO COTOVELO PUNHO MAO COXA JOELHO PERNA TORNOZELO COLUNA PESCOCO CORACAO
    BUIK BEKKEN HEUP SCHOUDER ELLEBOOG POLS VINGER DIJ ENKEL VOET SCHEDEL WERVELKOLOM BACKEN HOFT HOFTE SKULDER
    ARMBAGE ALBUE HANDLED HANDLEDD FINGRE KNA FOTLED FOT FOD SKALLE RYGG RYG BRZUCH MIEDNICA LOKIEC DLON KOLANO
    STOPA CZASZKA KREGOSLUP BRICHO PANEV RAMENO KOLENO LEBKA
"""
# With a chest, these do not speak against it: they lie in it, or name the view (face, back) or the posture (arms).
_IN_CHEST = """
    HEART HERZ COEUR CORAZON CUORE CORACAO AORTA MEDIASTINUM TRACHEA ESOPHAGUS THYMUS SCAPULA AXILLA
    FACE BACK ARM ARMS BONE COLUMN HEAD MAIN
"""
_LATERAL = """
    LL RL LAT LATERAL LLAT RLAT LATL LATR XTLAT LATERALE LATERALIS LATERALES PROFIL PROFILE PROFILO PERFIL SEITLICH
    SEITL CROSSTABLE LATERO LTL SAGITTAL SAGITAL BOCZNE BOCZNA BOCNA ZIJDELINGS DWARS
"""
_FRONTAL = "AP PA FRONTAL ANTEROPOSTERIOR POSTEROANTERIOR POSTERO ANTERO APS PAS FACE"
_DECUBITUS = "LLD RLD DECUBITUS DECUB DECUBITO LLDECUB RLDECUB"
_OBLIQUE = "LLO RLO RAO LAO RPO LPO OBL OBLIQUE OBLIQUES OBLICUA OBLICUO OBLIQUA OBLIQUO SCHRAEG SCHRAG SKOSNE"
_SUPINE = "SUPINE SUPINO DORSAL DORSALIS PRONE PRONO VENTRAL"  # a decubitus of this kind lies supine
_LORDOTIC = "LORDOTIC LORDOTICA LORDOTICO LORDOTIQUE LORDOTISCH"
_VIEW = "ANTERIOR POSTERIOR AXIAL APICAL SIDE"
_NEUTRAL = """
    UNKNOWN NONE OTHER PORT PORTABLE VIEW VIEWS LEFT RIGHT L R BOTH ONE TWO SINGLE UPRIGHT ERECT
    STANDING SEMI SITTING
    BEDSIDE BED ADULT CHILD PEDIATRIC INFANT XR XRAY X RAY STANDARD ROUTINE WITH AND OF IN
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
IN_CHEST_WORDS, SUPINE_WORDS = frozenset(_IN_CHEST.split()), frozenset(_SUPINE.split())
LATERAL_WORDS, FRONTAL_WORDS = frozenset(_LATERAL.split()), frozenset(_FRONTAL.split())
DECUBITUS_WORDS, OBLIQUE_WORDS = frozenset(_DECUBITUS.split()), frozenset(_OBLIQUE.split())
LORDOTIC_WORDS = frozenset(_LORDOTIC.split())
KNOWN_WORDS = frozenset().union(
    CHEST_WORDS,
    OTHER_WORDS,
    LATERAL_WORDS,
    FRONTAL_WORDS,
    DECUBITUS_WORDS,
    OBLIQUE_WORDS,
    LORDOTIC_WORDS,
    SUPINE_WORDS,
    _VIEW.split(),
    _NEUTRAL.split(),
)

COMPOUND = re.compile(
    r"(CHEST|THORAX|TORAX)(LAT|LL|PA|AP|PORT)|(LAT|PA|AP|PORT)(CHEST|THORAX|TORAX)"
    r"|(?:LEFT|RIGHT|LATERO|X|CHEST|THORAX|TORAX)?(LATERAL)(?:[AE]|IS|NA|NE|VIEW|CHEST|LEFT|RIGHT)?"
    r"|(NECK)?(CHEST)(?:(ABDOMEN|ABD)(?:PELV(?:IS)?)?)?"
)

UNKNOWN = "(no defined term)"
"""What stands for a value without a known term: no letter of it is shown, since it can be a name."""


def presentable(keyword: str, text: str) -> str:
    """What may be shown of the value of an attribute: its known terms, or `UNKNOWN`; "" where it is empty."""
    if keyword == "PatientOrientation":
        parts = [part.strip().upper() for part in text.split("\\")]
        return "\\".join(parts) if all(_ORIENTATION.fullmatch(part) for part in parts if part) else _unknown(text)
    if keyword in WHOLE_VALUES:
        value = text.strip().upper()
        return value if value in WHOLE_VALUES[keyword] else _unknown(text)
    known = [word for word in _words(text) if word in KNOWN_WORDS or (word.isdigit() and len(word) == 1)]
    return " ".join(known) if known else _unknown(text)


def body_part(text: str) -> str:
    """Which part of the body a text names: "chest", "other", "both", or "" where it names none."""
    words = set(_words(text))
    is_chest = bool(words & CHEST_WORDS)
    if words & (OTHER_WORDS - IN_CHEST_WORDS if is_chest else OTHER_WORDS):
        return "both" if is_chest else "other"
    return "chest" if is_chest else ""


def projection(text: str) -> str:
    """Which view a text names: "lateral", "oblique", "decubitus", "lordotic", "frontal"; "" if lateral and frontal."""
    words = set(_words(text))
    if words & DECUBITUS_WORDS and not (words & SUPINE_WORDS and not words & LATERAL_WORDS):
        return "decubitus"
    if words & OBLIQUE_WORDS:
        return "oblique"
    is_lateral = bool(words & LATERAL_WORDS) or words >= {"SIDE", "VIEW"}
    is_frontal = bool(words & FRONTAL_WORDS)
    if words & LORDOTIC_WORDS and not is_lateral:
        return "lordotic"
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
    """The words of a text in capitals without accents; anything but letters and digits parts them.

    Written as one word, `CHESTLAT` are two, and `LEFTLATERAL` or `LATERALVIEW` is LATERAL.
    """
    plain = unicodedata.normalize("NFKD", text.upper()).encode("ascii", "ignore").decode()
    joined = re.sub(r"\b(?:([AP])[./-]([AP])|(L)[./-](L))\b", r"\1\2\3\4", plain)
    found: list[str] = []
    for word in re.findall(r"[A-Z]+|[0-9]+", joined):
        parts = None if word in KNOWN_WORDS else COMPOUND.fullmatch(word)
        found += [part for part in parts.groups() if part] if parts else [word]
    return found


def _unknown(text: str) -> str:
    return UNKNOWN if _words(text) else ""
