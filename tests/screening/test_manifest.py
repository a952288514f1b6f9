from pathlib import Path

import pytest

from cxrnet.errors import UsageError
from cxrnet.screening.manifest import is_manifest, manifest_rows


@pytest.fixture
def parquet(tmp_path):
    """Function that writes columns as a Parquet file and returns its path."""
    pa = pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")

    def write(**columns):
        path = tmp_path / "images.parquet"
        pa.parquet.write_table(pa.table(columns), path, row_group_size=2)
        return str(path)

    pytest.importorskip("pyarrow.parquet")
    return write


def rows(name, column="image", patient=()):
    return list(manifest_rows(name, column, patient))


def test_parquet_paths_are_relative_to_it_and_addresses_stay(parquet, tmp_path):
    name = parquet(image=["a.png", "/data/b.png", "s3://archive/c.dcm"], label=["x", "y", "z"])
    assert [source for source, _ in rows(name)] == [tmp_path / "a.png", Path("/data/b.png"), "s3://archive/c.dcm"]


def test_parquet_has_patient_data_as_text(parquet):
    name = parquet(image=["a.png", "b.png"], age=[45, None], sex=["F", "M"])
    assert [patient for _, patient in rows(name, patient=("age", "sex", "view"))] == [
        {"age": "45", "sex": "F"},
        {"age": "", "sex": "M"},
    ]


def test_parquet_row_without_an_image_is_named(parquet):
    with pytest.raises(UsageError, match="row 3 has no image; give a path in every row"):
        rows(parquet(image=["a.png", "b.png", None]))


def test_parquet_without_the_column_is_refused(parquet):
    with pytest.raises(UsageError, match="has no column image; its columns are file, label"):
        rows(parquet(file=["a.png"], label=["x"]))


def test_damaged_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")
    (tmp_path / "images.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match="is not a readable Parquet file"):
        rows(str(tmp_path / "images.parquet"))


def test_csv_is_read_row_by_row(tmp_path):
    (tmp_path / "images.csv").write_text("image\na.png\n\xff", encoding="latin-1")
    found = manifest_rows(str(tmp_path / "images.csv"), "image", ())
    with pytest.raises(UsageError, match="is not a readable CSV file"):
        list(found)


@pytest.mark.parametrize("name", ["s3://archive/images.csv", "s3://archive/images.PARQUET"])
def test_object_with_the_ending_is_a_manifest(name):
    assert is_manifest(name)


def test_missing_file_is_no_manifest(tmp_path):
    assert not is_manifest(str(tmp_path / "images.parquet"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text", ["image;age\na.png;4,5\n", "sep=;\nimage;age\na.png;4,5\n;\n", 'image\tage\na.png\t"4,5"\n']
)
def test_csv_of_spreadsheets(tmp_path, text, encoding):
    (tmp_path / "images.csv").write_text(text, encoding=encoding)
    assert rows(str(tmp_path / "images.csv"), patient=("age",)) == [(tmp_path / "a.png", {"age": "4,5"})]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_and_paths_are_read_however_they_are_spelled(parquet, tmp_path, kind):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    if kind == "csv":
        name = str(tmp_path / "images.csv")
        Path(name).write_text("Image,Patient Age\nin\\a.png,45\n")
    else:
        name = parquet(**{"Image": ["in\\a.png"], "Patient Age": [45]})
    assert rows(name, patient=("patient_age",)) == [(tmp_path / "in" / "a.png", {"patient_age": "45"})]


def test_column_that_two_could_be_is_refused(tmp_path):
    (tmp_path / "images.csv").write_text("Image,IMAGE\na.png,b.png\n")
    with pytest.raises(UsageError, match="has no column image; its columns are Image, IMAGE"):
        rows(str(tmp_path / "images.csv"))
