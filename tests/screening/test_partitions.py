import csv
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")

from cxrnet.errors import StoreError, UsageError
from cxrnet.model.registry import open_bundle
from cxrnet.screening.batch import batch_columns, batch_settings
from cxrnet.screening.options import Options
from cxrnet.screening.parquet_output import decode_table
from cxrnet.screening.partitions import Job, _pipeline, process_on_worker
from cxrnet.screening.plan import Plan
from cxrnet.screening.run import open_run
from tests.material import draw_xray

TIMES = {"folder", "read_ms", "prepare_ms", "gate_ms", "network_ms"}


@pytest.fixture
def images(tmp_path):
    """Folder of five radiographs and a torn file, with a manifest that lists one more."""
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(5):
        cv2.imwrite(str(folder / f"{seed}.png"), draw_xray(50 + seed)[0])
    (folder / "5.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "images.csv").write_text("image\n" + "".join(f"{n}.png\n" for n in range(7)))  # 6.png is not there
    return folder


@pytest.fixture
def run(small_bundle, tmp_path):
    """Function that runs a batch into `out`, and returns its outcomes."""

    def run(*inputs, out=tmp_path / "out", stop_after=None, **options):
        given = {"bundle": str(small_bundle), "save": frozenset(), "table": "parquet", "partition": 3} | options
        with open_run([str(name) for name in inputs], out, Options(**given)) as opened:
            return [outcome for outcome, _ in zip(opened.outcomes, range(stop_after or 1000), strict=False)]

    return run


def tables(out):
    return sorted((out / "findings").iterdir())


def rows(out):
    return [row for path in tables(out) for row in decode_table(path.read_bytes())]


def same(found, expected):
    """Whether two tables have the same cells but for folders and times."""
    columns = [name for name in expected[0] if name not in TIMES]
    return [[row.get(name, "") for name in columns] for row in found] == [
        [row[name] for name in columns] for row in expected
    ]


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_those_of_a_run_without_partitions(images, run, tmp_path):
    outcomes = run(images / "images.csv")
    run(images / "images.csv", out=tmp_path / "csv", table="csv")
    assert [outcome.status for outcome in outcomes] == ["scored"] * 5 + ["failed"] * 2
    assert [path.name[:10] for path in tables(tmp_path / "out")] == ["part-00000", "part-00001", "part-00002"]
    assert same(rows(tmp_path / "out"), read_csv(tmp_path / "csv/findings.csv"))
    assert not (tmp_path / "out/findings.csv").exists()


def test_files_per_image_are_where_the_row_says(images, run, tmp_path):
    run(images, save=frozenset({"json"}))
    records = [
        json.loads((tmp_path / "out" / row["folder"] / "finding.json").read_text()) for row in rows(tmp_path / "out")
    ]
    assert [record["input"] for record in records] == [row["input"] for row in rows(tmp_path / "out")]


def test_resume_does_what_is_not_done(images, run, tmp_path):
    assert len(run(images / "images.csv", stop_after=3)) == 3
    before = {path: path.stat().st_mtime_ns for path in tables(tmp_path / "out")}
    outcomes = run(images / "images.csv", resume=True)
    assert [outcome.is_recalled for outcome in outcomes] == [
        path in before for path in tables(tmp_path / "out") for _ in "123"
    ][:7]
    assert [row["input"] for row in rows(tmp_path / "out")] == [str(images / f"{n}.png") for n in range(7)]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_finished_run_is_recalled_as_it_was(images, run):
    first, again = run(images / "images.csv"), run(images / "images.csv", resume=True)
    assert [outcome.model_copy(update={"is_recalled": False}) for outcome in again] == first


def test_interrupted_run_needs_resume(images, run):
    run(images / "images.csv", stop_after=1)
    with pytest.raises(UsageError, match=r"was stopped after 1 partitions; continue it with --resume"):
        run(images / "images.csv")


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"auto_correct": True}, "auto-correct False, not True"), ({"partition": 2}, "partition 3, not 2")],
)
def test_run_is_not_resumed_with_other_settings(images, run, changed, message):
    run(images / "images.csv", stop_after=1)
    with pytest.raises(UsageError, match=message):
        run(images / "images.csv", resume=True, **changed)


def test_run_is_not_resumed_with_other_images(images, run, tmp_path):
    run(images / "images.csv")
    before = tables(tmp_path / "out")
    with pytest.raises(UsageError, match="has other images than its run was given now"):
        run(*sorted(images.glob("*.png"))[1:], resume=True)
    assert tables(tmp_path / "out") == before


def test_images_added_at_the_end_are_done_with_resume(images, run, tmp_path):
    run(images / "images.csv")
    with (images / "images.csv").open("a") as file:
        file.write("new.png\n")
    outcomes = run(images / "images.csv", resume=True)
    assert [outcome.is_recalled for outcome in outcomes] == [True] * 6 + [False] * 2
    assert [Path(row["input"]).name for row in rows(tmp_path / "out")][6:] == ["6.png", "new.png"]


def test_finished_run_starts_over_without_resume(images, run, tmp_path):
    run(images / "images.csv")
    run(images / "0.png", partition=1)
    assert [Path(row["input"]).name for row in rows(tmp_path / "out")] == ["0.png"]


def test_damaged_table_is_named(images, run, tmp_path):
    run(images / "images.csv")
    tables(tmp_path / "out")[1].write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"part-00001-\w+.parquet: is damaged; remove it"):
        run(images / "images.csv", resume=True)


def test_damaged_record_is_named(images, run, tmp_path):
    run(images / "images.csv")
    (tmp_path / "out/partitions.json").write_text("{}")
    with pytest.raises(UsageError, match=r"partitions.json: is damaged"):
        run(images / "images.csv", resume=True)


def test_segmentation_has_tables_of_its_own(images, run, tmp_path):
    run(images / "images.csv", task="segment", save=frozenset({"png"}))
    found = [row for path in sorted((tmp_path / "out/lungs").iterdir()) for row in decode_table(path.read_bytes())]
    assert [row["status"] for row in found] == ["segmented"] * 5 + ["failed"] * 2


@pytest.fixture
def job(small_bundle, tmp_path):
    options = Options(bundle=str(small_bundle), save=frozenset(), table="parquet")
    bundle = open_bundle(small_bundle)
    settings, columns = batch_settings(bundle, options), batch_columns(bundle, options)
    yield Job(place=str(tmp_path / "out"), options=options, settings=settings, columns=columns, base=str(tmp_path))
    _pipeline(options.bundle, options.identifiers, options.provider).close()
    _pipeline.cache_clear()


def partition(source):
    with closing(Plan([(source, {})])) as plan:
        return next(plan.partitions(1))


def test_worker_with_another_model_does_not_take_part(job):
    other = replace(job, settings={**job.settings, "bundle sha256": "another"})
    with pytest.raises(UsageError, match=r"bundle sha256: is \w+ on the machine .*, not another; install the same"):
        process_on_worker(other, partition(Path("/nix.png")))


def test_worker_reads_relative_paths_from_the_folder_of_the_run(job, images, monkeypatch):
    monkeypatch.chdir("/")
    content = process_on_worker(job, partition(Path("in/0.png")))
    assert [(row["input"], row["status"]) for row in decode_table(content)] == [("in/0.png", "scored")]


def test_machine_without_the_folder_of_relative_paths_is_named(job, tmp_path):
    with pytest.raises(UsageError, match=r"nix: is not on the machine .*; name the inputs by absolute paths"):
        process_on_worker(replace(job, base=str(tmp_path / "nix")), partition(Path("in/0.png")))
