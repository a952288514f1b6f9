import builtins
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")

from cxrnet.errors import MissingExtraError, OutputError
from cxrnet.screening.options import Options
from cxrnet.screening.parquet_output import decode_table
from cxrnet.screening.plan import Plan
from cxrnet.screening.ray_backend import distribute_on_ray
from cxrnet.screening.run import open_run
from tests.material import draw_xray

RUN = """
import sys
from cxrnet.cli import main
sys.argv = ["cxrnet", "screen", *sys.argv[1:]]
main()
"""


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(3):
        cv2.imwrite(str(folder / f"image{seed}.png"), draw_xray(50 + seed)[0])
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def test_missing_ray_is_named(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("ray"):
            raise ModuleNotFoundError(name, name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"cxrnet\[ray\]"):
        next(distribute_on_ray(len, iter([]), workers=1))


@pytest.fixture
def ray():
    """Ray, with the cluster of a test shut down afterwards."""
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    yield ray
    ray.shutdown()


def rows(out):
    return [row for path in sorted((out / "findings").iterdir()) for row in decode_table(path.read_bytes())]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray itself
def test_cluster_screens_each_input_once_and_resumes_a_run(ray, small_bundle, images, tmp_path):
    def run(**changes):
        options = Options(bundle=str(small_bundle), save=frozenset({"json"}), backend="ray", partition=2, **changes)
        with open_run([str(images)], tmp_path / "out", options) as opened:
            return list(opened.outcomes)

    first, again = run(), run(resume=True)
    assert sorted(outcome.item.path.name for outcome in first) == ["image0.png", "image1.png", "image2.png", "torn.png"]
    assert Counter(outcome.status for outcome in first) == {"scored": 3, "failed": 1}
    assert all(outcome.is_recalled for outcome in again)
    assert [Path(row["input"]).name for row in rows(tmp_path / "out")] == [f"image{n}.png" for n in range(3)] + [
        "torn.png"
    ]
    assert (tmp_path / "out/images/00001/torn/finding.json").is_file()
    assert (tmp_path / "out/findings.csv").read_text().count("\n") == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_error_that_every_partition_meets_stops_the_run_in_one_line(ray, small_bundle, images, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/findings").write_text("a file where the tables should go")
    options = Options(bundle=str(small_bundle), save=frozenset(), backend="ray", table="parquet")
    with (
        pytest.raises(OutputError, match=r"^/.*findings/part-00000-\w+.parquet: cannot be written"),
        open_run([str(images)], tmp_path / "out", options) as opened,
    ):
        list(opened.outcomes)


def _die(partition):
    if partition.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return b"done"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_partition_that_kills_its_process_each_time_is_named_and_the_others_are_done(ray, monkeypatch):
    monkeypatch.setattr("cxrnet.screening.ray_backend.RETRIES", 1)
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    found = []
    plan = Plan((Path(f"{number}.png"), {}) for number in range(3))
    with pytest.raises(OutputError, match=r"part-00001-\w+.parquet: not done, the process or the machine died 2 times"):
        found.extend(partition.number for partition, _ in distribute_on_ray(_die, plan.partitions(1), workers=1))
    plan.close()
    assert found == [0, 2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_killed_worker_and_lost_node_lose_no_image_and_double_none(ray, small_bundle, tmp_path):
    """Two nodes; a worker is killed, then the second node is removed; every image has one row."""
    from ray.cluster_utils import Cluster

    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(400):
        cv2.imwrite(str(folder / f"{seed:04d}.png"), draw_xray(seed % 5)[0])
    out = tmp_path / "out"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        words = [str(folder), "--out", str(out), "--bundle", str(small_bundle), "--table", "parquet"]
        words += ["--partition", "10", "--backend", "ray"]
        environment = {**os.environ, "RAY_ADDRESS": cluster.address}
        process = subprocess.Popen([sys.executable, "-c", RUN, *words], env=environment, stderr=subprocess.PIPE)
        _wait_for(lambda: len(list(out.glob("findings/part-*"))) >= 4, process)
        killed = _workers(process.pid)
        os.kill(killed[0], signal.SIGKILL)
        done = len(list(out.glob("findings/part-*")))
        _wait_for(lambda: len(list(out.glob("findings/part-*"))) >= done + 4, process)
        assert len(list(out.glob("findings/part-*"))) < 40
        cluster.remove_node(second, allow_graceful=False)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    finally:
        cluster.shutdown()
    assert [row["input"] for row in rows(out)] == [str(folder / f"{seed:04d}.png") for seed in range(400)]
    assert {row["status"] for row in rows(out)} == {"scored"}
    assert len(list((out / "findings").iterdir())) == 40
    assert json.loads((out / "partitions.json").read_text())["is_finished"]


def _wait_for(is_done, process):
    end = time.monotonic() + 200
    while not is_done():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.05)


def _workers(driver):
    """Processes that are doing a partition."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::_attempt") and int(path.parent.name) != driver:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
