import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxrnet.imaging.attributes import KEPT_TAGS, kept_tags
from cxrnet.imaging.coded_terms import CODED_TERMS
from cxrnet.imaging.defined_terms import KNOWN_WORDS, UNKNOWN, body_part, plane, presentable, projection


@pytest.mark.parametrize("name", ["SMITH_JOHN", "Smith^John", "MÜLLER", "LATIMER", "Legrand", "Anna\\Abel"])
def test_no_letter_of_a_name_is_shown(name):
    assert {presentable(keyword, name) for keyword in KEPT_TAGS} == {UNKNOWN}


def test_unknown_value_says_nothing_about_the_image():
    assert (body_part(UNKNOWN), projection(UNKNOWN), plane(UNKNOWN)) == ("", "", "")


@pytest.mark.parametrize(
    ("keyword", "value", "shown"),
    [
        ("BodyPartExamined", "chest", "CHEST"),
        ("BodyPartExamined", "CHEST SMITH", "CHEST"),
        ("BodyPartExamined", "Tórax", "TORAX"),
        ("ViewPosition", "P/A", "PA"),
        ("PatientOrientation", "L\\F", "L\\F"),
        ("PatientOrientation", "L\\", "L\\"),
        ("Modality", "DX", "DX"),
    ],
)
def test_defined_terms_are_shown(keyword, value, shown):
    assert presentable(keyword, value) == shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("CHEST", "chest"),
        ("CHEST_PA", "chest"),
        ("CHEST 1 VIEW", "chest"),
        ("Thorax p.a.", "chest"),
        ("TORAX", "chest"),
        ("Tórax", "chest"),
        ("PORT CHEST", "chest"),
        ("HAND", "other"),
        ("CHEST AND ABDOMEN", "both"),
        *((term, "both") for term in ("CHESTABDOMEN", "CHESTABDPELVIS", "NECKCHEST", "NECKCHESTABDPELV")),
        ("CHESTPORT", "chest"),
        ("THORAX FACE", "chest"),
        ("Heart & lungs", "chest"),
        ("Herz/Lunge", "chest"),
        ("CHEST ERECT BACK", "chest"),
        ("CHEST/ABD", "both"),
        ("KUB", "other"),
        ("HEART", "other"),
        ("Mão", "other"),
        ("MANO", "other"),
        ("Genou", "other"),
        ("Schulter", "other"),
        ("Wirbelsäule", "other"),
        ("COLUMNA DORSAL", "other"),
        ("KNIE", "other"),
        ("BRZUCH", "other"),
        ("UNKNOWN", ""),
        ("***", ""),
        ("N/A", ""),
        ("", ""),
        ("SMITH", ""),
    ],
)
def test_body_part_is_recognised_by_whole_words(text, part):
    assert body_part(text) == part


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("LL", "lateral"),
        ("LEFT LATERAL", "lateral"),
        ("Profil", "lateral"),
        ("LLD", "decubitus"),
        ("RAO", "oblique"),
        ("AP LORDOTIC", "lordotic"),
        ("Lordotic lateral", "lateral"),
        ("SIDE VIEW", "lateral"),
        ("LEFT SIDE", ""),
        ("PA oblique", "oblique"),
        ("left lateral oblique", "oblique"),
        ("left lateral decubitus", "decubitus"),
        ("postero-anterior", "frontal"),
        ("PA", "frontal"),
        ("CHESTLAT", "lateral"),
        ("LATCHEST", "lateral"),
        ("LEFTLATERAL", "lateral"),
        ("Latero-Laterale", "lateral"),
        ("L-L", "lateral"),
        ("sagittal", "lateral"),
        ("seitl.", "lateral"),
        ("schräg", "oblique"),
        ("THORAXPA", "frontal"),
        ("decubito supino", ""),
        ("decubitus dorsal AP", "frontal"),
        ("laterality L", ""),
        ("bilateral", ""),
        ("PA AND LATERAL", ""),
        ("ZZ", ""),
    ],
)
def test_projection_is_recognised_by_words(text, view):
    assert projection(text) == view


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        ("L\\F", "frontal"),
        ("LP\\FA", "frontal"),
        ("R\\H", "frontal"),
        ("A\\F", "lateral"),
        ("P", "lateral"),
        ("F\\A", "lateral"),
        ("H\\P", "lateral"),
        ("R\\F", "mirrored"),
        ("F\\L", "mirrored"),
        ("", ""),
        ("L\\P", ""),
    ],
)
def test_plane_follows_from_the_patient_orientation(orientation, expected):
    assert plane(orientation) == expected


def test_codes_are_recognised_by_their_meaning():
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "left lateral"
    dataset = Dataset()
    dataset.Modality, dataset.ViewCodeSequence = "DX", Sequence([item])
    assert kept_tags(dataset) == ({"Modality": "DX", "ViewCodeSequence": "LEFT LATERAL"}, [])


@pytest.mark.parametrize(
    ("keyword", "code", "scheme", "meaning", "shown"),
    [
        ("AnatomicRegionSequence", "T-D3000", "SRT", "", "CHEST"),
        ("AnatomicRegionSequence", "51185008", "SCT", "Brustkorb, knöchern", "CHEST"),
        ("AnatomicRegionSequence", "T-D8700", "SNM3", "Mano", "HAND"),
        ("AnatomicRegionSequence", "69536005", "SCT", None, "HEAD"),
        ("AnatomicRegionSequence", "T-D8700", "99ACME", "Chest", "CHEST"),
        ("ViewCodeSequence", "R-10236", "SRT", "von links", "LATERAL"),
        ("ViewCodeSequence", "399198007", "SCT", None, "LATERAL"),
        ("ViewCodeSequence", "272479007", "SCT", None, "PA"),
        ("ViewCodeSequence", "R-10220", "SRT", None, "OBLIQUE"),
    ],
)
@pytest.mark.parametrize("attribute", ["CodeValue", "LongCodeValue"])
def test_codes_are_recognised_by_their_value(keyword, code, scheme, meaning, shown, attribute):
    item = Dataset()
    setattr(item, attribute, code)
    item.CodingSchemeDesignator = scheme
    if meaning is not None:
        item.CodeMeaning = meaning
    dataset = Dataset()
    setattr(dataset, keyword, Sequence([item]))
    assert kept_tags(dataset) == ({keyword: shown}, [])


def test_every_coded_term_is_a_known_word():
    assert set(CODED_TERMS.values()) <= KNOWN_WORDS


def test_free_text_keeps_its_known_terms_and_is_no_warning():
    dataset = Dataset()
    dataset.SeriesDescription, dataset.StudyDescription = "Thorax lat. Smith", "Routine follow-up for Doe"
    dataset.ProtocolName = "Jane Doe"
    tags, warnings = kept_tags(dataset)
    assert tags == {"SeriesDescription": "THORAX LAT", "StudyDescription": "ROUTINE"}
    assert warnings == []


def test_unknown_term_is_hidden_with_a_warning():
    dataset = Dataset()
    dataset.BodyPartExamined = "SMITH_JOHN"
    tags, warnings = kept_tags(dataset)
    assert tags == {"BodyPartExamined": UNKNOWN}
    assert "Body Part Examined (0018,0015)" in warnings[0]
