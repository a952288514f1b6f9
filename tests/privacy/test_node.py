"""What the node writes down next to DICOM objects holds no canary: log, queue, status."""

import time

import pytest

pytest.importorskip("pynetdicom")

from tests.hostile.inputs.material import body_of
from tests.hostile.test_node import store
from tests.node.process import scp
from tests.privacy import canaries
from tests.privacy.test_canaries import chirping, sings

__all__ = ["scp"]

PLAIN = "1.2.840.10008.1.2.1"


@pytest.mark.slow
def test_no_canary_leaves_by_the_node(scp, small_bundle, tmp_path):
    sent = [canaries.dicom(), *(data for name, data in canaries.broken().items() if name != "syntax")]
    with scp("--bundle", small_bundle, "--save", "seg,sr,sc,gsps", spool=tmp_path / "spool") as running:
        taken = 0
        for number, data in enumerate(sent, start=1):
            taken += store(running, PLAIN, data[body_of(data) :], f"1.2.826.0.1.3680043.8.498.78.{number}") == 0
        assert taken >= 6
        end = time.monotonic() + 120
        while running.counts()["received"]:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert running.counts()["screened"] >= 1
        assert running.counts()["failed"] >= 3
        log = running.log.read_bytes()
    assert log
    assert not sings(log), log.decode()
    assert chirping(tmp_path / "spool") == []
