from __future__ import annotations

import pytest

from cxrnet.data.manifest import Columns, parse_where, read_manifest, relative, scan_manifest, write_manifest
from cxrnet.errors import ManifestError, OutputError, UsageError


@pytest.fixture
def write(tmp_path):
    """Function that writes the text of a manifest and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "films.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_paths_are_against_the_folder_of_the_manifest(write, tmp_path):
    (row,) = read_manifest(write("image,mask\na/1.png,../m.png\n")).samples
    assert row.image == tmp_path / "a/1.png"
    assert row.mask == tmp_path / "../m.png"


def test_row_is_kept_whole(write):
    manifest = read_manifest(write('image,label,view,age\n1.png,covid,PA,"61, about"\n'))
    (row,) = manifest.samples
    assert (row.line, row.label, row.view, row.split, row.mask) == (2, "covid", "PA", "", None)
    assert dict(row.values) == {"image": "1.png", "label": "covid", "view": "PA", "age": "61, about"}
    assert manifest.fields == ("image", "label", "view", "age")


@pytest.mark.parametrize(
    ("cells", "group"), [("1.png,g,p", "g"), ("1.png,,p", "p"), ("1.png,,", "1.png")], ids=["group", "patient", "image"]
)
def test_group_is_group_else_patient_else_image(write, cells, group):
    (row,) = read_manifest(write(f"image,group_id,patient_id\n{cells}\n")).samples
    assert row.group.endswith(group)


def test_byte_order_mark_and_empty_lines_are_passed_over(write):
    rows = read_manifest(write("image,label\r\n\r\n1.png,covid\r\n", encoding="utf-8-sig")).samples
    assert [row.line for row in rows] == [3]


def test_line_is_where_a_row_begins_after_a_value_of_two_lines(write):
    rows = read_manifest(write('image,note\n1.png,"two\nlines"\n2.png,x\n')).samples
    assert [row.line for row in rows] == [2, 4]


def test_columns_can_be_renamed(write):
    (row,) = read_manifest(write("file,label4\n1.png,normal\n"), columns=Columns(image="file", label="label4")).samples
    assert row.label == "normal"


def test_where_takes_rows_with_either_value(write):
    path = write("image,split\n1.png,train\n2.png,val\n3.png,test\n")
    assert len(read_manifest(path, where={"split": "train,val"}).samples) == 2


def test_image_may_come_again_with_another_mask(write):
    assert len(read_manifest(write("image,mask\n1.png,a.png\n1.png,b.png\n")).samples) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label,image\n", "films.csv: line 1: has the column image twice; every column"),
        ("file\n1.png\n", "films.csv: line 1: has no column image; its columns are file"),
        ("", "films.csv: line 1: has no column image; its columns are none"),
        ("image,label\n,covid\n", "films.csv: line 2: image is empty; every row names an image"),
        ("image,label\n1.png,a,b\n", "films.csv: line 2: 3 cells, the header has 2; quote a value"),
        ("image,label\n1.png\n", "films.csv: line 2: 1 cells, the header has 2"),
        ("image\n1.png\n2.png\n1.png\n", "films.csv: line 4: names 1.png like line 2; an image may"),
        ('image,label\n1.png,"a" b\n', "films.csv: line 2: .*; quotes come in pairs"),
        ('image\n1.png\n"2.png\n', "films.csv: line 3: unexpected end of data; quotes come in pairs"),
    ],
)
def test_fault_is_told_with_its_line(write, text, words):
    with pytest.raises(ManifestError, match=words):
        read_manifest(write(text))


def test_first_fault_says_how_many_follow(write):
    with pytest.raises(ManifestError, match=r"line 2: image is empty; .* \(and 1 more, see `cxrnet data check`\)"):
        read_manifest(write("image,label\n,a\n,b\n"))


def test_scan_gives_sound_rows_and_all_faults(write):
    manifest, faults = scan_manifest(write("image,label\n,a\n1.png,b\n,c\n"))
    assert [row.line for row in manifest.samples] == [3]
    assert [fault.lines for fault in faults] == [(2,), (4,)]


@pytest.mark.parametrize(
    ("text", "code", "lines"),
    [
        ("image,label,,\n1.png,a,,\n2.png,b,,\n", "EMPTY_CELLS", (1,)),
        ("image,label\n1.png,a,,\n2.png,b\n", "EMPTY_CELLS", (2,)),
        ("image,label\n1.png,a\n , \n2.png,b\n   \n", "BLANK_ROWS", (3, 5)),
        ("image,patient_id\n1.png,nan\n2.png,NaN\n", "PLACEHOLDER", (2,)),
    ],
)
def test_what_spreadsheets_leave_is_noted_and_read(write, text, code, lines):
    path = write(text)
    manifest, problems = scan_manifest(path)
    assert (problems[0].code, problems[0].lines) == (code, lines)
    assert all(problem.kind != "error" for problem in problems)
    assert [row.image.name for row in read_manifest(path).samples] == ["1.png", "2.png"]
    assert "" not in manifest.fields


def test_nul_byte_is_an_error_with_its_line(write):
    with pytest.raises(ManifestError, match="line 3: has a NUL byte"):
        read_manifest(write("image\n1.png\n2\0.png\n"))


def test_patients_without_a_number_are_groups_of_their_own(write):
    rows = read_manifest(write("image,patient_id\n1.png,unknown\n2.png,unknown\n3.png,p\n")).samples
    assert [row.patient for row in rows] == [None, None, "p"]
    assert len({row.group for row in rows}) == 3
    assert rows[0].values["patient_id"] == "unknown"


def test_renamed_column_must_be_there(write):
    with pytest.raises(ManifestError, match="has no column label4; its columns are image, label"):
        read_manifest(write("image,label\n1.png,a\n"), columns=Columns(label="label4"))


def test_where_needs_its_column(write):
    with pytest.raises(ManifestError, match="has no column site"):
        read_manifest(write("image\n1.png\n"), where={"site": "x"})


def test_where_that_leaves_nothing_is_wrong_usage(write):
    with pytest.raises(UsageError, match="no row has split=test; nothing to do"):
        read_manifest(write("image,split\n1.png,train\n"), where={"split": "test"})


def test_header_alone_is_wrong_usage(write):
    with pytest.raises(UsageError, match="no row follows the header"):
        read_manifest(write("image\n"))


def test_file_of_another_encoding_is_refused(write):
    with pytest.raises(
        ManifestError, match=r"is not a readable CSV file \(UnicodeDecodeError\); give a manifest in UTF-8"
    ):
        read_manifest(write("image\nf\u00fc.png\n", encoding="latin-1"))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"nix.csv: is not a readable CSV file \(FileNotFoundError\)"):
        read_manifest(tmp_path / "nix.csv")


def test_written_manifest_reads_back(tmp_path):
    path = tmp_path / "new" / "films.csv"
    write_manifest(path, ["image", "note"], [{"image": "1.png", "note": 'a "b", c'}, {"image": "2.png"}])
    assert [dict(row.values) for row in read_manifest(path).samples] == [
        {"image": "1.png", "note": 'a "b", c'},
        {"image": "2.png", "note": ""},
    ]


def test_manifest_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(tmp_path / "file" / "films.csv", ["image"], [])


def test_where_is_parsed():
    assert parse_where(["split=train", "note=a=b"]) == {"split": "train", "note": "a=b"}


@pytest.mark.parametrize(
    ("choices", "words"),
    [(["split"], "--where split: is not COLUMN=VALUE"), (["a=1", "a=2"], "a is given twice; write --where a=1,2")],
)
def test_where_that_cannot_be_parsed_is_told(choices, words):
    with pytest.raises(UsageError, match=words):
        parse_where(choices)


def test_relative_path_goes_up(tmp_path):
    assert relative(tmp_path / "a" / "1.png", tmp_path / "b") == "../a/1.png"


@pytest.mark.parametrize(("name", "rows", "masks"), [("segmentation", 1181, 1181), ("classification", 1887, 0)])
def test_real_manifests_are_read(shared, name, rows, masks):
    samples = read_manifest(shared / "data" / name / "manifest.csv").samples
    assert len(samples) == rows
    assert sum(row.mask is not None for row in samples) == masks
    assert all(row.image.is_file() for row in samples[::50])
