import pytest

from cxrnet.errors import ManifestError
from tests.data.conftest import write_rows, write_xray


def test_xrays_are_labelled_by_their_finding(build, covid):
    _, rows = build("covid-image-data", covid({}, {"filename": "2.png", "finding": "Pneumonia/Bacterial"}))
    assert [(row["label"], row["patient_id"]) for row in rows] == [
        ("covid", "covid-image-data:2"),
        ("non-covid", "covid-image-data:2"),
    ]
    assert rows[0]["license"] == "CC BY"


def test_table_of_the_first_months_is_read(build, tmp_path):
    folder = tmp_path / "old"
    write_xray(folder / "images" / "1.png")
    row = {"Patientid": "1", "finding": "COVID-19, ARDS", "view": "AP Supine", "filename": "1.png", " url": "x"}
    write_rows(folder / "metadata.csv", [row])
    (found,) = build("covid-image-data", folder)[1]
    assert (found["label"], found["view"], found["url"]) == ("covid", "AP Supine", "x")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"finding": "todo"}, "finding todo"),
        ({"finding": ""}, "finding not given"),
        ({"view": "L"}, "view L"),
        ({"view": ""}, "view not given"),
        ({"modality": "CT"}, "modality CT"),
    ],
)
def test_row_is_left_out(build, covid, change, reason):
    built, rows = build("covid-image-data", covid({}, {"filename": "2.png", **change}))
    assert built.left_out == {reason: 1}
    assert len(rows) == 1


def test_row_without_its_image_is_left_out(build, covid):
    folder = covid({}, {"filename": "2.png"})
    (folder / "images" / "2.png").unlink()
    assert build("covid-image-data", folder)[0].left_out == {"no such image file": 1}


def test_table_without_a_column_is_refused(build, tmp_path):
    write_rows(tmp_path / "c" / "metadata.csv", [{"patientid": "1"}])
    with pytest.raises(ManifestError, match=r"metadata\.csv: has no column finding"):
        build("covid-image-data", tmp_path / "c")


def test_missing_table_is_refused(build, tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(ManifestError, match=r"metadata\.csv: is not a readable CSV file \(FileNotFoundError\)"):
        build("covid-image-data", tmp_path / "c")


def test_collection_with_nothing_to_use_is_refused(build, covid):
    with pytest.raises(ManifestError, match=r"holds no image that can be used \(1 left out: finding todo\)"):
        build("covid-image-data", covid({"finding": "todo"}))
