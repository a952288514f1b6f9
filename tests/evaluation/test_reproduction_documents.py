"""The figures of README, documents and cards are those of the files that they come from."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from cxrnet.bench.record import BenchmarkRecord
from cxrnet.errors import UsageError
from cxrnet.evaluation.reproduction.documents.benchmark_statements import benchmark_statements
from cxrnet.evaluation.reproduction.documents.checkout import LOG, MODELS, README, RESULTS, find_checkout
from cxrnet.evaluation.reproduction.documents.documents import PICTURE, write_documents
from cxrnet.evaluation.reproduction.documents.model_statements import model_statements
from cxrnet.evaluation.reproduction.documents.statement import Statement, write_statements
from cxrnet.evaluation.reproduction.documents.tables import TABLES, Table, share, text, time, write_tables
from tests.cli.conftest import cxrnet

__all__ = ["cxrnet"]  # a fixture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the documents, results and models of this checkout."""
    for name in {README, LOG, PICTURE, *(table.document for table in TABLES)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (MODELS, RESULTS):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def test_documents_are_current():
    assert list(write_documents(ROOT, is_check=True)) == []


def test_sentence_that_differs_is_corrected_and_one_that_is_gone_is_reported(checkout):
    page, right = checkout / README, (ROOT / README).read_text()
    page.write_text(
        right.replace("(199 images), AUC | 0.8", "(111 images), AUC | 0.9").replace("the same within", "in")
    )
    gone, differs = write_statements(model_statements(checkout), checkout, is_check=False)
    assert gone.endswith("stands 0 times, not once")
    assert "(111 images), AUC | 0.9" in differs
    assert page.read_text() == right.replace("the same within", "in")


def test_results_that_change_fail_the_check_and_reach_sentence_and_table(checkout):
    path = checkout / RESULTS / "gate.json"
    record = BenchmarkRecord.read(path)
    rows = tuple(row | {"refused": 0, "warned": 0, "scored": row["n"]} for row in record.rows)
    record.model_copy(update={"rows": rows}).write(path)
    found = [
        *write_statements(benchmark_statements(checkout), checkout, is_check=True),
        *write_tables(checkout, is_check=True),
    ]
    assert len(found) == 3  # README, a sentence and the table of gate.md
    assert all(line.startswith(("README.md: ", "docs/explanation/gate.md: ")) for line in found)
    list(write_statements(benchmark_statements(checkout), checkout, is_check=False))
    list(write_tables(checkout, is_check=False))
    assert "| 0.0 % and 0.0 %; 0.0 % |" in (checkout / README).read_text()
    assert list(write_tables(checkout, is_check=True)) == []


def test_table_without_its_place_is_reported(checkout):
    for table in TABLES:
        (checkout / table.document).write_text("nothing\n")
    assert len(list(write_tables(checkout, is_check=False))) == len(TABLES)
    assert (checkout / TABLES[0].document).read_text() == "nothing\n"


def test_card_that_differs_is_written_from_its_facts(checkout):
    folder = checkout / MODELS / "lungs"
    right = (folder / "card.md").read_bytes()
    (folder / "card.md").write_bytes(b"# lungs\n")
    checksums = json.loads((folder / "checksums.json").read_bytes())
    checksums["sha256"]["card.md"] = sha256(b"# lungs\n").hexdigest()
    (folder / "checksums.json").write_text(json.dumps(checksums))
    assert list(write_documents(checkout, is_check=False)) == ["lungs: the card is not that of its facts"]
    assert (folder / "card.md").read_bytes() == right


def test_picture_that_differs_is_drawn(checkout):
    picture = checkout / PICTURE
    picture.unlink()
    assert list(write_documents(checkout, is_check=False)) == [f"{PICTURE}: is not the panel of the bundled model"]
    assert list(write_documents(checkout, is_check=True)) == []


def test_cells_hold_what_is_known():
    record = BenchmarkRecord(
        command="x",
        rows=({"name": "a", "median": 7.94, "n": 8, "right": 6}, {"median": 103.4, "fastest": 99.6, "slowest": 120}),
    )
    columns = {"name": text("name"), "ms": time, "right": share("right", "n")}
    table = Table(document="", name="", file="", columns=columns)
    assert table.render(record).splitlines()[2:] == ["| a | 7.9 | 75 % |", "|  | 103 (100 to 120) |  |"]


def test_value_may_be_a_number_with_its_interval():
    statement = Statement("page.md", "Dice {} of {} images", ("0.950 [0.940, 0.960]", "1,922"))
    found = statement.pattern().search("Dice 0.9 [0.800, 0.950] of 12 images")
    assert found
    assert found.groups() == ("0.9 [0.800, 0.950]", "12")


def test_checkout_is_found_from_a_folder_in_it():
    assert find_checkout(ROOT / "docs" / "how-to") == ROOT


def test_folder_outside_a_checkout_is_refused_in_one_line(cxrnet, tmp_path):
    said = cxrnet("reproduce", "readme", "--root", tmp_path)
    assert said.code == 2
    assert "is not in a source checkout of cxrnet" in said.err
    assert said.err.count("\n") == 1
    with pytest.raises(UsageError):
        find_checkout(tmp_path)


def test_check_exits_with_1_and_changes_nothing(cxrnet, checkout):
    page = checkout / README
    page.write_text(
        page.read_text().replace("pairs of image and mask, mean Dice | 0.", "pairs of image and mask, mean Dice | 1.")
    )
    before = page.read_text()
    said = cxrnet("reproduce", "readme", "--check", "--root", checkout / "docs")
    assert said.code == 1
    assert said.out.count("\n") == 2
    assert page.read_text() == before
    assert cxrnet("reproduce", "readme", "--root", checkout).code == 0
    assert cxrnet("reproduce", "readme", "--check", "--root", checkout).code == 0
