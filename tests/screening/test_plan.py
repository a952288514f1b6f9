from contextlib import closing
from pathlib import Path

import pytest

from cxrnet.errors import UsageError
from cxrnet.screening.plan import Plan


def sources(count, patient=None):
    return [(Path(f"images/{number}.png"), patient or {}) for number in range(count)]


def partitions(given, size=2):
    with closing(Plan(given)) as plan:
        return list(plan.partitions(size))


def test_partitions_have_the_images_in_their_order():
    found = partitions(sources(5))
    assert [[item.path.stem for item in one.items] for one in found] == [["0", "1"], ["2", "3"], ["4"]]
    assert [one.number for one in found] == [0, 1, 2]


def test_results_of_an_image_go_into_the_folder_of_its_partition():
    assert [one.items[0].folder for one in partitions(sources(3))] == ["images/00000/0", "images/00001/2"]


def test_image_named_twice_is_there_once():
    found = partitions([*sources(3), *sources(3), ("s3://archive/0.png", {})], size=9)
    assert [item.text for item in found[0].items] == [f"images/{n}.png" for n in range(3)] + ["s3://archive/0.png"]


def test_image_in_several_spellings_of_its_path_is_there_once(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    spellings = [folder / "0.png", tmp_path / "images/../images/0.png", tmp_path / "link/0.png"]
    found = partitions([*((path, {}) for path in spellings), (folder / "1.png", {})], size=9)
    assert [item.path for item in found[0].items] == [folder / "0.png", folder / "1.png"]


def test_bytes_of_a_name_that_are_not_utf8_stay():
    name = Path("images/\udcff.png")
    assert partitions([(name, {})])[0].items[0].path == name


def test_file_of_a_partition_stays_when_images_are_added_behind_it():
    before, after = partitions(sources(3)), partitions(sources(4))
    assert [one.file == other.file for one, other in zip(before, after, strict=True)] == [True, False]


def test_file_of_a_partition_changes_with_patient_data():
    assert partitions(sources(2, {"age": "4"}))[0].file != partitions(sources(2, {"age": "5"}))[0].file


def test_patient_data_of_a_later_row_are_taken():
    found = partitions([*sources(1), *sources(1, {"age": "4"}), *sources(1)])
    assert found[0].items[0].patient == {"age": "4"}


def test_contradicting_patient_data_are_refused():
    with pytest.raises(UsageError, match=r"0.png: is there twice with other patient data"):
        partitions([*sources(1, {"age": "4"}), *sources(1, {"age": "5"})])


@pytest.mark.parametrize(("count", "size"), [(1, 20), (1280, 20), (6400, 100), (40_000, 500)])
def test_short_run_has_smaller_partitions(count, size):
    with closing(Plan(sources(count))) as plan:
        assert plan.default_size == size


def test_no_images_are_refused(tmp_path):
    (tmp_path / "empty.csv").write_text("image\n")
    with pytest.raises(UsageError, match=r"empty.csv: no images"):
        Plan.of([str(tmp_path / "empty.csv")], image_column="image", exclude=None, patient_columns=())
