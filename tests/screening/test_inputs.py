import contextlib
import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.errors import UsageError
from cxrnet.screening.inputs import find_inputs, folder_names, is_image_name, path_text, safe_name


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.dcm", "sub/a.dcm", "sub/1.2.840.5", "IM0001", "notes.txt", "DICOMDIR", ".hidden.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(inputs):
    return [item.path.name for item in inputs.items]


def test_folder_is_searched_for_images(folder):
    found = find_inputs([str(folder)])
    assert sorted(names(found)) == ["1.2.840.5", "IM0001", "a.dcm", "a.dcm", "b.png"]
    assert found.notes == ("2 files in folders are not images by their names and are left out (1 .txt)",)


def test_pattern_is_expanded_in_order(folder):
    assert names(find_inputs([str(folder / "*.[dp][cn]*")])) == ["a.dcm", "b.png"]


def test_file_is_taken_whatever_its_ending(folder):
    assert names(find_inputs([str(folder / "notes.txt")])) == ["notes.txt"]


def test_missing_file_keeps_its_place(folder):
    assert names(find_inputs([str(folder / "nix.dcm"), str(folder / "b.png")])) == ["nix.dcm", "b.png"]


def test_file_spelled_in_several_ways_is_done_once(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "other").symlink_to("sub")
    spelled = ["sub/a.dcm", str(folder / "sub/a.dcm"), "sub/../sub/a.dcm", "other/a.dcm", "a.dcm", "sub/../a.dcm"]
    assert [item.text for item in find_inputs(spelled).items] == ["sub/a.dcm", "a.dcm"]


def test_file_named_twice_is_done_once(folder):
    assert names(find_inputs([str(folder / "b.png"), str(folder / "b.png")])) == ["b.png"]


def test_file_with_brackets_in_its_name_is_no_pattern(tmp_path):
    (tmp_path / "image[1].png").write_bytes(b"x")
    assert names(find_inputs([str(tmp_path / "image[1].png")])) == ["image[1].png"]


def test_manifest_paths_are_relative_to_it(folder):
    manifest = folder / "sub" / "images.csv"
    manifest.write_text("image,label\n../b.png,covid\na.dcm,non-covid\n")
    assert [item.path.resolve() for item in find_inputs([str(manifest)]).items] == [
        folder / "b.png",
        folder / "sub/a.dcm",
    ]


def test_manifest_column_can_be_named(folder):
    manifest = folder / "images.csv"
    manifest.write_text("file\nb.png\n")
    assert names(find_inputs([str(manifest)], image_column="file")) == ["b.png"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path\na.png\n", r"has no column image; its columns are path"),
        ("image,label\na.png,x\n,y\n", r"line 3 has no image; give a path in every row"),
        ("", r"has no column image"),
    ],
)
def test_manifest_faults_are_reported(tmp_path, text, words):
    manifest = tmp_path / "images.csv"
    manifest.write_text(text)
    with pytest.raises(UsageError, match=words):
        find_inputs([str(manifest)])


def test_manifest_of_bytes_is_refused(tmp_path):
    manifest = tmp_path / "images.csv"
    manifest.write_bytes(b"image\n\xff\xfe\x00\n")
    with pytest.raises(UsageError, match=r"is not a readable CSV file \(UnicodeDecodeError\)"):
        find_inputs([str(manifest)])


def test_pattern_without_match_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\*.dcm: matches no file; give files, folders"):
        find_inputs([str(tmp_path / "*.dcm")])


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no image; endings taken from a folder are .bmp"):
        find_inputs([str(tmp_path)])


def test_nothing_named_is_refused():
    with pytest.raises(UsageError, match="nothing: no images"):
        find_inputs([])


def test_folders_of_equal_names_are_distinguished(folder):
    found = find_inputs([str(folder / "a.dcm"), str(folder / "sub" / "a.dcm"), str(folder / "b.png")])
    first, second, third = (item.folder for item in found.items)
    assert first != second
    assert first.startswith("a-")
    assert third == "b"


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=8, unique=True))
def test_folder_names_are_safe_and_unique(stems):
    from pathlib import Path

    found = folder_names(
        Path("images") / f"{index}" / (stem.replace("/", "") or "x") for index, stem in enumerate(stems)
    )
    assert len({name.casefold() for name in found}) == len(stems)
    assert not any("/" in name or name.startswith(".") for name in found)


@pytest.mark.parametrize("text", ["../../etc", "a/b", "", "...", "\x1b[31m", "x" * 500])
def test_safe_name_stays_in_its_folder(text):
    name = safe_name(text)
    assert 0 < len(name) <= 100
    assert not set(name) & set("/\\\x1b")
    assert not name.startswith(".")


def test_dicomdir_is_no_image():
    from pathlib import Path

    assert not is_image_name(Path("DICOMDIR"))


def test_folder_of_the_results_is_left_out(folder):
    (folder / "out" / "b").mkdir(parents=True)
    (folder / "out" / "b" / "scan.png").write_bytes(b"x")
    assert "scan.png" not in names(find_inputs([str(folder)], exclude=folder / "out"))
    assert "scan.png" in names(find_inputs([str(folder / "out")], exclude=folder / "out"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs rights for links")
@pytest.mark.parametrize("pattern", ["", "**/*.png"])
def test_loops_of_links_end(tmp_path, pattern):
    (tmp_path / "image.png").write_bytes(b"x")
    for name in ("a", "b", "c"):
        (tmp_path / name).symlink_to(tmp_path)
    assert names(find_inputs([str(tmp_path / pattern)])) == ["image.png"]


def test_hidden_files_do_not_match_a_pattern(folder):
    (folder / ".git").mkdir()
    (folder / ".git" / "x.png").write_bytes(b"x")
    assert names(find_inputs([str(folder / "**" / "*.png")])) == ["b.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipe_and_dangling_link_in_a_folder_are_not_passed_over_in_silence(tmp_path):
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "link.dcm").symlink_to(tmp_path / "gone")
    assert names(find_inputs([str(tmp_path)])) == ["link.dcm", "pipe.dcm"]


def test_folder_that_cannot_be_listed_is_reported_in_its_place(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "sub":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert folder / "sub" in [item.path for item in find_inputs([str(folder)]).items]


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a\0*", "x" * 5000 + "*.csv"])
def test_impossible_name_keeps_its_place_or_is_reported(name):
    with contextlib.suppress(UsageError):
        (item,) = find_inputs([name]).items
        assert str(item.path) == name


def test_pattern_is_reported_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"^a\\nb\\x1b\*: matches no file; [ -~]*$"):
        find_inputs(["a\nb\x1b*"])


@pytest.mark.parametrize(
    "name", ["findings.csv.png", "FINDINGS.CSV.dcm", "lungs.csv.png", "journal.jsonl.png", "partitions.json.png"]
)
def test_no_folder_takes_the_name_of_a_table(tmp_path, name):
    (found,) = folder_names([tmp_path / name])
    assert found.casefold() not in ("findings.csv", "lungs.csv", "journal.jsonl", "partitions.json")


def test_name_that_looks_like_the_hash_of_another_is_distinguished(tmp_path):
    first, second = tmp_path / "a" / "image.png", tmp_path / "b" / "image.png"
    forged = tmp_path / f"{folder_names([first, second])[0]}.png"
    assert len(set(folder_names([first, second, forged]))) == 3


def test_accents_coded_in_two_ways_are_distinguished(tmp_path):
    first, second = folder_names([tmp_path / "caf\u00e9.png", tmp_path / "cafe\u0301.png"])
    assert unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second)


def test_long_names_in_any_script_fit_on_a_disk(tmp_path):
    paths = [tmp_path / part / ("\u80ba" * 84) for part in ("a", "b")]
    assert all(len(os.fsencode(name)) <= 220 for name in folder_names(paths))


@pytest.mark.parametrize("name", ["findings.csv", "lungs.csv", "partitions.json", "progress.sqlite", "finding.json"])
def test_results_of_an_earlier_run_are_left_out(folder, name):
    (folder / "results" / "a").mkdir(parents=True)
    (folder / "results" / name).write_bytes(b"x")
    (folder / "results" / "a" / "panel.png").write_bytes(b"x")
    found = find_inputs([str(folder)])
    assert "panel.png" not in names(found)
    assert found.notes[-1].startswith(f"{folder / 'results'}: left out")


def test_results_next_to_the_images_themselves_are_left_out(folder):
    (folder / "findings.csv").write_bytes(b"x")
    (folder / "b").mkdir()
    for name in ("finding.json", "panel.png"):
        (folder / "b" / name).write_bytes(b"x")
    assert sorted(names(find_inputs([str(folder)]))) == ["1.2.840.5", "IM0001", "a.dcm", "a.dcm", "b.png"]


def test_image_of_an_earlier_run_is_taken_when_it_is_named(folder):
    (folder / "results").mkdir()
    for name in ("findings.csv", "panel.png"):
        (folder / "results" / name).write_bytes(b"x")
    assert names(find_inputs([str(folder / "results" / "panel.png")])) == ["panel.png"]


def test_path_text_escapes_what_is_not_utf8():
    assert path_text("caf\udce9/\u00e9.png") == "caf\\xe9/\u00e9.png"


@pytest.mark.parametrize("name", ["CON", "nul", "Lpt1"])
def test_names_that_are_devices_elsewhere_get_a_hash(tmp_path, name):
    (folder,) = folder_names([tmp_path / f"{name}.png"])
    assert folder.startswith(f"{name}-")
