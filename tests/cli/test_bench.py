import json
from dataclasses import replace

import pytest

from cxrnet.bench.record import BenchmarkRecord
from cxrnet.bench.stages import Row
from cxrnet.bench.timing import Timing
from cxrnet.cli.bench import format_row, write_rows
from cxrnet.errors import UsageError

ROW = Row(part="one image, warm", name="graph", timing=Timing.of([110.0, 120.0, 140.0]), note="noted")


def test_row_is_printed_with_its_spread():
    assert format_row(ROW, is_first=False).split() == ["graph", "120.0", "110.0", "140.0", "noted"]


def test_first_row_of_a_part_has_its_heading():
    assert format_row(ROW, is_first=True).splitlines()[1].startswith("one image, warm")


def test_table_is_written_as_json(tmp_path):
    write_rows(tmp_path / "bench.json", [replace(ROW, values={"images": 4})], "cxrnet bench")
    content = json.loads((tmp_path / "bench.json").read_bytes())
    assert content["schema"] == "cxrnet.bench/3"
    assert (content["rows"][0]["median"], content["rows"][0]["images"]) == (120.0, 4)
    record = BenchmarkRecord.read(tmp_path / "bench.json")
    assert record.value("median", name="graph") == 120.0


@pytest.mark.parametrize(("column", "wanted"), [("median", {"name": "nix"}), ("note", {"name": "graph"})])
def test_record_names_what_it_has_not(tmp_path, column, wanted):
    write_rows(tmp_path / "bench.json", [ROW], "cxrnet bench")
    with pytest.raises(UsageError, match="cxrnet bench: "):
        BenchmarkRecord.read(tmp_path / "bench.json").value(column, **wanted)


@pytest.mark.parametrize("content", [None, "{}", "nix"])
def test_file_that_is_no_record_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "bench.json").write_text(content)
    with pytest.raises(UsageError, match=r"bench\.json: "):
        BenchmarkRecord.read(tmp_path / "bench.json")


def test_bundle_without_classifier_is_refused(cxrnet):
    said = cxrnet("bench", "--bundle", "lungs", "--quick")
    assert said.code == 2
    assert "lungs: has no classifier" in said.err


@pytest.mark.parametrize(
    ("option", "accepted"),
    [("engine", ("local", "ray")), ("backend", ("local", "ray")), ("provider", ("cpu", "openvino", "cuda", "coreml"))],
)
def test_unknown_engine_and_provider_are_refused(cxrnet, chest, tmp_path, option, accepted):
    said = cxrnet("screen", chest, "--out", tmp_path / "out", f"--{option}", "nix")
    assert said.code == 2
    assert f"--{option}" in said.err
    assert all(name in said.err for name in accepted)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_bench_prints_every_part(cxrnet, tmp_path):
    said = cxrnet("bench", "--quick", "--images", "4", "--json", tmp_path / "bench.json")
    assert said.code == 0, said.err
    parts = {row["part"] for row in json.loads((tmp_path / "bench.json").read_bytes())["rows"]}
    assert {"one image, warm", "start, as a process"} <= parts
