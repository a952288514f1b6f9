import shutil
from dataclasses import replace

import pytest

from cxrnet.data.check import check_manifest
from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import Columns, read_manifest
from cxrnet.data.split import HELD_OUT, divide_by_source, split_manifest
from cxrnet.errors import UsageError
from tests.data.conftest import read_rows, sample, write_rows


def test_fold_is_added_to_every_row(xrays):
    out = xrays.folder / "folds.csv"
    lines = split_manifest(read_manifest(xrays.csv), out, folds=3)
    rows = read_rows(out)
    assert {row["fold"] for row in rows} == {"0", "1", "2"}
    assert [{name: row[name] for name in xrays.rows[0]} for row in rows] == xrays.rows
    assert lines[0] == "fold 0: 4 rows, 2 groups, 50.0% covid, 50.0% non-covid"
    assert "folds are made of the splits train, val together; --where takes one of them" in lines
    assert (xrays.folder / "folds.csv.png").read_bytes().startswith(b"\x89PNG")


def test_paths_follow_the_manifest_to_another_folder(xrays, tmp_path):
    out = tmp_path / "lists" / "folds.csv"
    split_manifest(read_manifest(xrays.csv), out, folds=2)
    assert not check_manifest(out, where={"fold": "0"}, similarity=1.0).has_errors
    assert read_rows(out)[0]["mask"] == "../masks/0.png"


def test_held_out_patients_are_the_split_test(xrays):
    out = xrays.folder / "folds.csv"
    split_manifest(read_manifest(xrays.csv), out, folds=2, holdout=0.34)
    rows = read_rows(out)
    assert sorted(row["split"] for row in rows) == ["test"] * 4 + ["train"] * 8
    assert all((row["split"] == "test") == (row["fold"] == "") for row in rows)
    assert not check_manifest(out, similarity=1.0).has_errors


def test_hold_out_alone_makes_no_folds(xrays):
    out = xrays.folder / "folds.csv"
    split_manifest(read_manifest(xrays.csv), out, folds=0, holdout=0.34, columns=Columns(split="part"))
    assert "fold" not in read_rows(out)[0]
    assert {row["part"] for row in read_rows(out)} == {"train", "test"}


def test_copies_stay_in_one_fold(xrays):
    shutil.copy(xrays.folder / "images" / "0.png", xrays.folder / "images" / "11.png")
    out = xrays.folder / "folds.csv"
    lines = split_manifest(read_manifest(xrays.csv), out, folds=2, similarity=0.99)
    rows = read_rows(out)
    assert lines[0] == "1 pairs of near-duplicates are kept together"
    assert rows[0]["fold"] == rows[11]["fold"]


def test_rows_without_labels_are_split(xrays):
    path = write_rows(xrays.folder / "bare.csv", [{"image": row["image"]} for row in xrays.rows])
    lines = split_manifest(read_manifest(path), xrays.folder / "folds.csv", folds=2)
    assert lines[0] == "fold 0: 6 rows, 6 groups, 100.0% no label"


def of_sources(*sources, groups=None):
    return [
        replace(sample(number, group=(groups or {}).get(number, f"g{number}")), source=source)
        for number, source in enumerate(sources)
    ]


def test_group_in_two_such_folds_is_in_none():
    xrays = of_sources("a", "b", "b", "a", groups={0: "same", 1: "same"})
    parts, lines = divide_by_source(xrays, group_ids(xrays), [["a"], ["b"]])
    assert parts.tolist() == [HELD_OUT, HELD_OUT, 1, 0]
    assert lines[0] == "2 rows of 1 groups with images in several folds are left out"


def test_fold_that_keeps_no_xray_is_wrong_usage():
    xrays = of_sources("a", "b", groups={0: "same", 1: "same"})
    with pytest.raises(UsageError, match="fold 0 keeps no image"):
        divide_by_source(xrays, group_ids(xrays), [["a"], ["b"]])


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ([["a"], ["c"]], "source b is in no fold"),
        ([["a", "b"], ["d"]], "source d has no image"),
        ([["a"], ["a", "b"]], "name each source once"),
        ([["a", "b"]], "in two folds or more"),
    ],
)
def test_sources_that_make_no_folds_are_wrong_usage(folds, words):
    xrays = of_sources("a", "b", "b") if folds != [["a"], ["c"]] else of_sources("a", "b", "c")
    with pytest.raises(UsageError, match=words):
        divide_by_source(xrays, group_ids(xrays), folds)


def test_only_xrays_of_such_folds_are_written(xrays):
    for number, row in enumerate(xrays.rows):
        row["source"] = "ab"[number > 6]  # radiographs 6 and 7 are of one patient
    path = write_rows(xrays.folder / "sources.csv", xrays.rows)
    out = xrays.folder / "folds.csv"
    split_manifest(read_manifest(path), out, hold_out_sources=[["a"], ["b"]])
    rows = read_rows(out)
    assert [row["image"] for row in rows] == [row["image"] for row in xrays.rows[:6] + xrays.rows[8:]]
    assert all(row["fold"] == str("ab".index(row["source"])) for row in rows)


@pytest.mark.parametrize("other", [{"holdout": 0.2}, {"folds": 0}])
def test_folds_by_source_go_with_nothing_else(xrays, other):
    with pytest.raises(UsageError, match="--hold-out-source: makes folds by source"):
        split_manifest(read_manifest(xrays.csv), xrays.folder / "folds.csv", hold_out_sources=[["a"], ["b"]], **other)


@pytest.mark.parametrize("folds", [0, 1])
def test_nothing_to_split_is_wrong_usage(xrays, folds):
    with pytest.raises(UsageError, match=f"--folds {folds}: splits nothing; take 2 or more folds"):
        split_manifest(read_manifest(xrays.csv), xrays.folder / "folds.csv", folds=folds)
