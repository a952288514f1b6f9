import builtins
import csv

import cv2
import pytest

from cxrnet.errors import MissingExtraError
from cxrnet.screening.batch import Outcome
from cxrnet.screening.inputs import find_inputs
from cxrnet.screening.options import Options
from cxrnet.screening.ray_backend import Worker, run_on_ray
from tests.material import draw_xray


@pytest.fixture
def items(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(3):
        cv2.imwrite(str(folder / f"image{seed}.png"), draw_xray(50 + seed)[0])
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return find_inputs([str(folder)]).items


def options(bundle, **changes):
    return Options(bundle=str(bundle), save=frozenset({"json"}), backend="ray", jobs=2, **changes)


def shard(name, items):
    return {"name": name, "items": [[str(item.path), item.folder, "{}"] for item in items]}


@pytest.fixture
def worker(small_bundle, tmp_path):
    worker = Worker(tmp_path / "out", options(small_bundle))
    yield worker
    worker.pipeline.close()


def test_worker_screens_a_shard_into_its_folder(worker, items, tmp_path):
    result = worker(shard("00007", items))
    outcomes = [Outcome.from_json(item, text) for item, text in zip(items, result["outcomes"], strict=True)]
    assert [outcome.status for outcome in outcomes] == ["scored"] * 3 + ["failed"]
    assert (tmp_path / "out/shards/00007/image0/finding.json").is_file()


def test_worker_returns_what_would_stop_the_others_as_well(worker, items, tmp_path):
    (tmp_path / "out").write_text("a file where the results should go")
    assert "out" in worker(shard("00000", items))["error"]


def test_missing_ray_is_named(monkeypatch, small_bundle, items, tmp_path):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("ray"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"cxrnet\[ray\]"):
        next(run_on_ray(items, tmp_path / "out", options(small_bundle)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself
def test_cluster_screens_each_input_once_and_resumes_a_run(monkeypatch, small_bundle, items, tmp_path):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr("cxrnet.screening.ray_backend.SHARD_SIZE", 2)
    out = tmp_path / "out"
    try:
        first = list(run_on_ray(items, out, options(small_bundle)))
        again = list(run_on_ray(items, out, options(small_bundle, resume=True)))
    finally:
        ray.shutdown()
    assert [outcome.item for outcome in first] == list(items)
    assert [outcome.status for outcome in first] == ["scored"] * 3 + ["failed"]
    assert all(outcome.is_recalled for outcome in again)
    with (out / "findings.csv").open(newline="") as file:
        folders = [row["folder"] for row in csv.DictReader(file)]
    assert folders == [f"shards/{number // 2:05d}/{item.folder}" for number, item in enumerate(items)]
