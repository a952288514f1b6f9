from __future__ import annotations

import json

import pytest

from cxrnet.bench.bench import Plan, Row
from cxrnet.cli.bench import line_of, write_rows

ROW = Row(part="one film, warm", name="graph", median=120.0, fastest=110.0, slowest=140.0, floor=60.0, note="noted")


def test_row_is_printed_with_its_ratio_to_the_floor():
    assert line_of(ROW, is_first=False).split() == ["graph", "120.0", "110.0", "140.0", "60.0", "2.00", "noted"]


def test_first_row_of_a_part_has_its_heading():
    assert line_of(ROW, is_first=True).splitlines()[1].startswith("one film, warm")


def test_table_is_written_as_json(tmp_path):
    write_rows(tmp_path / "bench.json", Plan(bundle="covid", runs=3, films=0), [ROW])
    told = json.loads((tmp_path / "bench.json").read_bytes())
    assert told["schema"] == "cxrnet.bench/1"
    assert told["rows"][0]["ratio"] == 2.0


def test_bundle_without_classifier_is_refused(cxrnet):
    said = cxrnet("bench", "--bundle", "lungs", "--quick")
    assert (said.code, said.err) == (
        2,
        "ERROR lungs: has no classifier; give a bundle that `cxrnet screen` takes\n",
    )


@pytest.mark.parametrize(
    ("option", "accepted"), [("engine", "local, ray"), ("provider", "cpu, openvino, cuda, coreml")]
)
def test_unknown_engine_and_provider_are_refused(cxrnet, chest, tmp_path, option, accepted):
    said = cxrnet("screen", chest, "--out", tmp_path / "out", f"--{option}", "nix")
    assert said.code == 2
    assert f"--{option} nix: is not known; choose from {accepted}" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_bench_prints_every_part(cxrnet, tmp_path):
    said = cxrnet("bench", "--quick", "--films", "4", "--json", tmp_path / "bench.json")
    assert said.code == 0, said.err
    parts = {row["part"] for row in json.loads((tmp_path / "bench.json").read_bytes())["rows"]}
    assert {"floor", "one film, warm", "inside the graph", "start, as a process"} <= parts
