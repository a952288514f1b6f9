"""Object stores, against moto's S3 server on loopback."""

from pathlib import Path

import cv2
import pytest

from cxrnet.errors import MissingExtraError, RadiographError, StoreError, UsageError
from cxrnet.imaging.radiograph import Limits
from cxrnet.screening import store as stores
from cxrnet.screening.options import Options
from cxrnet.screening.run import open_run
from cxrnet.screening.store import Store, is_address, local_copy
from tests.material import draw_xray

pytestmark = pytest.mark.filterwarnings("ignore")  # of botocore and moto


@pytest.fixture(scope="module")
def server():
    moto = pytest.importorskip("moto.server", reason="S3 tests need moto[server] and the extra s3")
    pytest.importorskip("s3fs", reason="S3 tests need moto[server] and the extra s3")
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(server, monkeypatch):
    """An empty bucket `archive`, as fsspec sees it."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server.replace("0.0.0.0", "127.0.0.1"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    stores._s3.cache_clear()
    opened = stores._s3()
    if opened.exists("archive"):
        opened.rm("archive", recursive=True)
    opened.mkdir("archive")
    yield opened
    stores._s3.cache_clear()


def copied(address, limits=None):
    with local_copy(address, limits or Limits()) as path:
        return path.read_bytes()


@pytest.fixture(params=["disk", "s3"])
def store(request, tmp_path):
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Store("s3://archive/run/")
    return Store(tmp_path / "run")


def test_files_are_written_read_listed_and_removed(store):
    assert store.names("findings") == set()
    assert store.read("findings/a") is None
    store.write("findings/a", b"first")
    store.write("findings/a", b"second")
    store.write("findings/b", b"")
    assert store.names("findings") == {"a", "b"}
    assert store.read("findings/a") == b"second"
    store.remove("findings/a")
    assert store.names("findings") == {"b"}


@pytest.mark.parametrize("content", [b"pixels", b""])
def test_object_is_copied(s3, content):
    s3.pipe_file("archive/a.png", content)
    assert copied("s3://archive/a.png") == content


def test_missing_object_is_the_fault_of_the_input(s3):
    with pytest.raises(RadiographError, match=r"s3://archive/nix.png: no such object"):
        copied("s3://archive/nix.png")


def test_object_over_the_limit_is_not_read_to_its_end(s3):
    s3.pipe_file("archive/a.png", bytes(100))
    with pytest.raises(RadiographError, match="the object is over 50 bytes; at most 50 bytes are read"):
        copied("s3://archive/a.png", Limits(file_bytes=50))


def test_object_without_access_is_the_fault_of_the_input(s3, monkeypatch):
    error = PermissionError("Access Denied")
    error.__cause__ = type("ClientError", (Exception,), {"response": {"Error": {"Code": "AccessDenied"}}})()
    monkeypatch.setattr(s3, "cat_file", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(RadiographError, match=r"a.png: permission denied"):
        copied("s3://archive/a.png")


def test_expired_credentials_stop_the_run(s3, monkeypatch):
    error = PermissionError("The provided token has expired.")
    error.__cause__ = type("ClientError", (Exception,), {"response": {"Error": {"Code": "ExpiredToken"}}})()
    monkeypatch.setattr(s3, "cat_file", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(StoreError, match=r"a.png: .*ExpiredToken.*The provided token has expired"):
        copied("s3://archive/a.png")


def test_store_that_does_not_answer_stops_the_run(s3, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    stores._s3.cache_clear()
    stores._s3().retries = 1
    with pytest.raises(StoreError, match=r"s3://archive/a.png: the store does not answer"):
        copied("s3://archive/a.png")


def test_missing_s3fs_is_named(monkeypatch):
    import builtins

    real = builtins.__import__

    def missing(name, *rest):
        if name in ("s3fs", "fsspec"):
            raise ModuleNotFoundError(name, name=name)
        return real(name, *rest)

    stores._s3.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"cxrnet\[s3\]"):
        Store("s3://archive").read("a")


@pytest.mark.parametrize(
    ("place", "found"), [("s3://a/b", True), ("s3:/a/b", False), ("C:/a", False), (Path("s3://a/b"), False)]
)
def test_address_is_distinguished_from_a_path(place, found):
    assert is_address(place) is found


def test_run_from_a_store_into_a_store_is_resumed(s3, small_bundle):
    pytest.importorskip("pyarrow", reason="Parquet needs the extra archive")
    from cxrnet.screening.parquet_output import decode_table

    for seed in range(3):
        s3.pipe_file(f"archive/in/{seed}.png", cv2.imencode(".png", draw_xray(50 + seed)[0])[1].tobytes())
    s3.pipe_file("archive/in/images.csv", b"image\n0.png\n1.png\ns3://archive/in/2.png\nnix.png\n")

    def run(**changes):
        options = Options(bundle=str(small_bundle), save=frozenset(), table="parquet", partition=2, **changes)
        with open_run(["s3://archive/in/images.csv"], "s3://archive/out", options) as opened:
            return list(opened.outcomes)

    first, again = run(), run(resume=True)
    assert [outcome.status for outcome in first] == ["scored"] * 3 + ["failed"]
    assert [outcome.is_recalled for outcome in again] == [True] * 4
    store = Store("s3://archive/out")
    rows = [row for name in sorted(store.names("findings")) for row in decode_table(store.read(f"findings/{name}"))]
    assert [row["input"] for row in rows] == [f"s3://archive/in/{name}.png" for name in ("0", "1", "2", "nix")]
    assert rows == [outcome.row for outcome in first]


def test_folder_of_a_store_is_refused_as_an_input(small_bundle, tmp_path):
    with (
        pytest.raises(UsageError, match="is a folder of a store; list its objects in a manifest"),
        open_run(["s3://archive/in/"], tmp_path, Options(bundle=str(small_bundle))),
    ):
        pass
