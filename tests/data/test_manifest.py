import pytest

from cxrnet.data.manifest import Columns, parse_where, read_manifest, scan_manifest, write_manifest
from cxrnet.errors import ManifestError, UsageError


@pytest.fixture
def write(tmp_path):
    """Function that writes the text of a manifest and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "xrays.csv"
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
        ("image,label,image\n", "xrays.csv: line 1: has the column image twice; every column"),
        ("image\n1.png\n2\0.png\n", "line 3: has a NUL byte"),
        ("image,label\n,a\n,b\n", r"line 2: image is empty; .* \(and 1 more, see `cxrnet data check`\)"),
        ("", "xrays.csv: line 1: has no column image; its columns are none"),
        ("image,label\n1.png,a,b\n", "xrays.csv: line 2: 3 cells, the header has 2; quote a value"),
        ("image,label\n1.png\n", "xrays.csv: line 2: 1 cells, the header has 2"),
        ("image\n1.png\n2.png\n1.png\n", "xrays.csv: line 4: names 1.png like line 2; an image may"),
        ('image,label\n1.png,"a" b\n', "xrays.csv: line 2: .*; quotes come in pairs"),
        ('image\n1.png\n"2.png\n', "xrays.csv: line 3: unexpected end of data; quotes come in pairs"),
    ],
)
def test_fault_is_reported_with_its_line(write, text, words):
    with pytest.raises(ManifestError, match=words):
        read_manifest(write(text))


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


def test_patients_without_a_number_are_groups_of_their_own(write):
    rows = read_manifest(write("image,patient_id\n1.png,unknown\n2.png,unknown\n3.png,p\n")).samples
    assert [row.patient for row in rows] == [None, None, "p"]
    assert len({row.group for row in rows}) == 3
    assert rows[0].values["patient_id"] == "unknown"


def test_where_that_leaves_nothing_is_wrong_usage(write):
    path = write("image,split\n1.png,train\n")
    with pytest.raises(UsageError, match="no row has split=test"):
        read_manifest(path, where={"split": "test"})
    with pytest.raises(ManifestError, match="has no column site"):
        read_manifest(path, where={"site": "x"})
    with pytest.raises(ManifestError, match="has no column label4"):
        read_manifest(path, columns=Columns(label="label4"))


def test_file_of_another_encoding_is_refused(write):
    with pytest.raises(
        ManifestError, match=r"is not a readable CSV file \(UnicodeDecodeError\); give a manifest in UTF-8"
    ):
        read_manifest(write("image\nf\u00fc.png\n", encoding="latin-1"))


def test_written_manifest_reads_back(tmp_path):
    path = tmp_path / "new" / "xrays.csv"
    write_manifest(path, ["image", "note"], [{"image": "1.png", "note": 'a "b", c'}, {"image": "2.png"}])
    assert [dict(row.values) for row in read_manifest(path).samples] == [
        {"image": "1.png", "note": 'a "b", c'},
        {"image": "2.png", "note": ""},
    ]


@pytest.mark.parametrize(
    ("choices", "words"),
    [(["split"], "--where split: is not COLUMN=VALUE"), (["a=1", "a=2"], "a is given twice; write --where a=1,2")],
)
def test_where_that_cannot_be_parsed_is_reported(choices, words):
    with pytest.raises(UsageError, match=words):
        parse_where(choices)


@pytest.mark.parametrize(("name", "rows", "masks"), [("segmentation", 1181, 1181), ("classification", 1887, 0)])
def test_real_manifests_are_read(shared, name, rows, masks):
    samples = read_manifest(shared / "data" / name / "manifest.csv").samples
    assert len(samples) == rows
    assert sum(row.mask is not None for row in samples) == masks
    assert all(row.image.is_file() for row in samples[::50])
