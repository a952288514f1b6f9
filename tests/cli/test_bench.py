from __future__ import annotations

import json

import pytest

from cxrnet.bench.stages import Row
from cxrnet.bench.timing import Timing
from cxrnet.cli.bench import format_row, write_rows

ROW = Row(part="one image, warm", name="graph", timing=Timing.of([110.0, 120.0, 140.0]), note="noted")


def test_row_is_printed_with_its_spread():
    assert format_row(ROW, is_first=False).split() == ["graph", "120.0", "110.0", "140.0", "noted"]


def test_first_row_of_a_part_has_its_heading():
    assert format_row(ROW, is_first=True).splitlines()[1].startswith("one image, warm")


def test_table_is_written_as_json(tmp_path):
    write_rows(tmp_path / "bench.json", [ROW])
    content = json.loads((tmp_path / "bench.json").read_bytes())
    assert content["schema"] == "cxrnet.bench/2"
    assert content["rows"][0]["median"] == 120.0


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
