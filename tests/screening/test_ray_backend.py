import builtins
import csv
from pathlib import Path

import cv2
import pytest

from cxrnet.errors import MissingExtraError
from cxrnet.screening.inputs import Input, gather
from cxrnet.screening.ray_backend import Order, Worker, deal, screen_cluster
from tests.material import film


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in range(3):
        cv2.imwrite(str(folder / f"film{seed}.png"), film(50 + seed)[0])
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return gather([str(folder)], image_column="image", leave_out=tmp_path / "out").items


def _order(bundle, tmp_path, **options):
    return Order(bundle=str(bundle), out=tmp_path / "out", save=frozenset({"json"}), **options)


def test_inputs_are_dealt_in_their_order():
    items = [Input(path=Path(f"{number}.png"), folder=str(number)) for number in range(5)]
    dealt = list(deal(items, 2))
    assert [name for name, _ in dealt] == ["00000", "00001", "00002"]
    assert [item for _, part in dealt for item in part] == items


def test_worker_screens_a_shard_into_its_folder(small_bundle, films, tmp_path):
    worker = Worker(_order(small_bundle, tmp_path))
    try:
        done = worker({"name": "00007", "items": [[str(item.path), item.folder] for item in films]})
    finally:
        worker.close()
    assert [outcome["status"] for outcome in done["outcomes"]] == ["scored"] * 3 + ["failed"]
    assert (tmp_path / "out/shards/00007/film0/finding.json").is_file()
    assert dict(done["outcomes"][0]["row"])["folder"] == "shards/00007/film0"


def test_worker_tells_what_would_stop_the_others_as_well(small_bundle, films, tmp_path):
    (tmp_path / "out").write_text("a file where the results should go")
    worker = Worker(_order(small_bundle, tmp_path))
    try:
        done = worker({"name": "00000", "items": [[str(item.path), item.folder] for item in films]})
    finally:
        worker.close()
    assert "out" in done["error"]


def test_missing_ray_is_named(monkeypatch, small_bundle, films, tmp_path):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("ray"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"--engine ray: Ray is not installed; pip install 'cxrnet\[ray\]'"):
        next(screen_cluster(_order(small_bundle, tmp_path), films, workers=2))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself
def test_cluster_screens_each_input_once_and_takes_up_a_run(monkeypatch, small_bundle, films, tmp_path):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr("cxrnet.screening.ray_backend.SHARD", 2)
    try:
        first = list(screen_cluster(_order(small_bundle, tmp_path), films, workers=2))
        again = list(screen_cluster(_order(small_bundle, tmp_path, resume=True), films, workers=2))
    finally:
        ray.shutdown()
    assert [outcome.item for outcome in first] == list(films)
    assert [outcome.status for outcome in first] == ["scored"] * 3 + ["failed"]
    assert all(outcome.is_recalled for outcome in again)
    with (tmp_path / "out/findings.csv").open(newline="") as file:
        assert [Path(row["folder"]).name for row in csv.DictReader(file)] == [item.folder for item in films]
