from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import cv2
import pytest

from cxrnet.errors import UsageError
from cxrnet.imaging.decoder_pool import DecoderPool
from cxrnet.imaging.decoding import Decoder
from tests.material import draw_xray


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "chest.png"
    cv2.imwrite(str(path), draw_xray(3)[0])
    return path


@pytest.fixture
def pool():
    pool = DecoderPool()
    yield pool
    pool.close()


def test_pool_reuses_a_child_process(pool, picture, monkeypatch):
    launched = []
    start = Decoder.start
    monkeypatch.setattr(Decoder, "start", lambda decoder: launched.append(id(decoder)) or start(decoder))
    for _ in range(3):
        pool.read(picture)
    assert len(set(launched)) == 1


def test_pool_gives_each_concurrent_reader_its_own_decoder(pool, monkeypatch):
    together, used = Barrier(3, timeout=30), set()

    def read(decoder, path, *, name=None):
        used.add(id(decoder))
        together.wait()

    monkeypatch.setattr(Decoder, "read", read)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(pool.read, ["a", "b", "c"]))
    assert len(used) == 3


def test_pool_names_the_radiograph(pool, picture):
    assert pool.read(picture, name="job 7").name == "job 7"


def test_closed_pool_is_not_used(pool, picture):
    pool.close()
    with pytest.raises(UsageError, match="closed"):
        pool.read(picture)
