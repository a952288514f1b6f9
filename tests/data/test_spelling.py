"""Manifests as spreadsheets and other programs save them."""

import unicodedata
from itertools import product

import pytest

from cxrnet.data.check import check_rows
from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import scan_manifest
from cxrnet.errors import ManifestError
from cxrnet.spelling import find_path, person_key

HEADER = "image,label,patient_id,split\n"
ROWS = "0.png,a,p0,train\n1.png,b,p1,val\n"
DECOMPOSED = unicodedata.normalize("NFD", "José")


@pytest.fixture
def scan(tmp_path):
    """Function from the content of a manifest to its rows and the codes of its problems."""

    def read(content, encoding="utf-8"):
        path = tmp_path / "images.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        manifest, problems = scan_manifest(path)
        return manifest.samples, [each.code for each in (*problems, *check_rows(manifest.samples))]

    return read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_table_of_a_spreadsheet_is_read(scan, encoding, separator):
    for first, end in product(("", f"sep={separator}\n"), ("\n", "\r\n", "\r")):
        text = (first + (HEADER + ROWS).replace(",", separator)).replace("\n", end)
        samples, codes = scan(text, encoding)
        assert [(one.image.name, one.label, one.patient, one.split, one.line) for one in samples] == [
            ("0.png", "a", "p0", "train", 2 + bool(first)),
            ("1.png", "b", "p1", "val", 3 + bool(first)),
        ]
        assert codes == []


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"PK\x03\x04", "an Excel workbook"), (b"PAR1", "a Parquet file"), (b"\x1f\x8b\x08", "compressed by gzip")],
)
def test_other_tables_are_named(scan, start, kind):
    with pytest.raises(ManifestError, match=f"is {kind}; save it as CSV"):
        scan(start + bytes(90))


@pytest.mark.parametrize("patient", ["Patient_ID", "PatientID", "Patient ID", "patient-id", " PATIENT_ID "])
@pytest.mark.parametrize("split", ["Split", "SPLIT"])
def test_column_is_known_in_every_spelling(scan, patient, split):
    _, codes = scan(f"Image,Label,{patient},{split}\n0.png,a,p0,train\n1.png,b,p0,test\n")
    assert codes == ["PATIENT_LEAK", "GROUP_LEAK"]


@pytest.mark.parametrize("fold", ["Fold", "FOLD", " fold "])
def test_folds_are_known_in_every_spelling(scan, fold):
    _, codes = scan(f"image,label,patient_id,{fold}\n0.png,a,p0,0\n1.png,b,p0,1\n")
    assert codes == ["PATIENT_LEAK", "GROUP_LEAK"]


@pytest.mark.parametrize("column", ["subject_id", "Patient", "MRN", "subset", "Partition"])
def test_column_that_looks_like_one_that_counts_is_a_warning(scan, column):
    _, codes = scan(f"image,label,{column}\n0.png,a,p0\n")
    assert codes == ["COLUMN"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("00123", "123"), ("123.0", "123"), ("P1", "p1"), ("José", DECOMPOSED), ("'123", "123"), ('"=""0123"""', "123")],
)
def test_patient_in_two_spellings_is_one(scan, one, other):
    samples, codes = scan(f"{HEADER}0.png,a,{one},train\n1.png,b,{other},test\n")
    assert codes == ["PATIENT_LEAK", "GROUP_LEAK"]
    assert len(set(group_ids(samples))) == 1


@pytest.mark.parametrize(("one", "other"), [("1-11", "11-1"), ("p01", "p1"), ("1.5", "1"), ("0", ""), ("12", "120")])
def test_other_patients_stay_apart(one, other):
    assert person_key(one) != person_key(other)


@pytest.mark.parametrize("word", ["#N/A", "NaT", "#REF!", "n.a.", "missing", "undefined", "--"])
def test_word_for_an_empty_cell_is_no_patient(scan, word):
    samples, codes = scan(f"{HEADER}0.png,a,{word},train\n1.png,b,{word},test\n")
    assert ([one.patient for one in samples], codes) == ([None, None], ["PLACEHOLDER"])


@pytest.mark.parametrize(("word", "label"), [("#N/A", None), ("N/A", None), ("-", None), ("None", "None")])
def test_word_for_an_empty_cell_is_no_class(scan, word, label):
    samples, _ = scan(f"{HEADER}0.png,{word},p0,train\n")
    assert samples[0].label == label


@pytest.mark.parametrize(("one", "other"), [("1", "1.0"), ("non-covid", "Non Covid"), ("a", "A")])
def test_class_in_two_spellings_is_an_error(scan, one, other):
    assert scan(f"image,label\n0.png,{one}\n1.png,{other}\n")[1] == ["LABEL_CASE"]


def test_image_by_two_paths_is_a_note(scan):
    assert scan(f"{HEADER}0.png,a,p0,train\n./0.png,a,p0,train\n")[1] == ["DUPLICATE"]


@pytest.mark.parametrize("cell", ["images\\tórax.png", "images/tórax.png", "images\\" + DECOMPOSED + ".png"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_path_of_another_system_is_found(tmp_path, cell, form):
    (tmp_path / "images").mkdir()
    name = unicodedata.normalize(form, cell.replace("\\", "/").rpartition("/")[2])
    (tmp_path / "images" / name).touch()
    assert find_path(tmp_path, cell) == tmp_path / "images" / name
    assert find_path(tmp_path, "no\\such.png") == tmp_path / "no\\such.png"
