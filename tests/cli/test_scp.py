import logging
import threading
import warnings

import pytest

from cxrnet.node.log import configure_logging
from cxrnet.node.spool import Spool
from tests.node.conftest import sent
from tests.node.process import scp
from tests.node.senders import send

__all__ = ["scp", "sent"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--aet", "A" * 17), "is not an AE title"),
        (("--bind", "0.0.0.0"), "ERROR --bind 0.0.0.0: everyone who reaches this address could send"),
        (("--allow-peer", "modality"), "ERROR --allow-peer modality: is not an address"),
        (("--save", "seg,gif"), "ERROR --save gif: is not known; choose from seg, sr, sc, gsps"),
        (("--save", ","), "ERROR --save: is empty"),
        (("--forward", "nowhere"), "ERROR --forward nowhere: is not a destination"),
        (("--forward", "http://user:pass@host/dicom-web"), "ERROR host: the URL holds a password"),
        (("--bundle", "nix"), "ERROR nix: no bundle of this name"),
    ],
)
def test_scp_exits_2_for_wrong_usage(cxrnet, tmp_path, words, line):
    said = cxrnet("scp", "--spool", tmp_path / "spool", *words)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert line in said.err


@pytest.mark.parametrize("option", ["--status", "--retry"])
def test_scp_exits_2_where_no_node_has_run(cxrnet, tmp_path, option):
    said = cxrnet("scp", "--spool", tmp_path, option)
    assert said.code == 2
    assert "has no queue" in said.err


@pytest.fixture
def used(tmp_path):
    """A spool with a row that failed when it was screened, and one that failed when it was forwarded."""
    spool = Spool(tmp_path / "spool")
    queue = spool.open_queue()
    for code in ("COLOUR", "NOT_STORED"):
        name, size = spool.store((b"x",))
        queue.fail(queue.add(name=name, instance="abc", sender="S", size=size), code, f"job: {code}")
    (spool.reset_results(name) / "seg.dcm").write_bytes(b"x")
    queue.close()
    return spool


def test_status_says_how_a_spool_is_doing(cxrnet, used):
    said = cxrnet("scp", "--spool", used.folder, "--status")
    assert said.code == 0
    assert said.out.startswith(f"cxrnet spool {used.folder}, not in use\n")
    assert "failed            2   see the reasons" in said.out


def test_retry_puts_failures_back_in_the_line(cxrnet, used):
    said = cxrnet("scp", "--spool", used.folder, "--retry")
    assert (said.code, said.out) == (0, "2 jobs queued again\n")
    queue = used.open_queue()
    assert [job.state for job in queue.rows()] == ["received", "screened"]
    queue.close()


@pytest.fixture
def as_before():
    """What `configure_logging` changes for the whole process, put back."""
    names = ("cxrnet", "pydicom", "pynetdicom", "highdicom", "dicomweb_client", "urllib3")
    states = {name: dict(vars(logging.getLogger(name))) for name in names}
    hook = threading.excepthook
    with warnings.catch_warnings():
        yield
    threading.excepthook = hook
    for name, state in states.items():
        vars(logging.getLogger(name)).update(state)


def test_a_thread_that_ends_by_a_fault_is_reported_without_its_text(as_before, capsys):
    configure_logging()

    def fail():
        raise ValueError("Doe^Jane")

    thread = threading.Thread(target=fail, name="test")
    thread.start()
    thread.join()
    reported = capsys.readouterr().err
    assert "test ended (ValueError at test_scp.py" in reported
    assert "Doe" not in reported


def test_libraries_say_nothing_for_themselves(as_before, capsys):
    configure_logging()
    logging.getLogger("pynetdicom.acse").error("Doe^Jane")
    warnings.warn("Doe^Jane", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_node_of_its_own_says_where_it_listens_and_names_nobody(scp, sent, small_bundle):
    broken = sent(Rows=9999, PatientName="CANARY^A", PatientID="CANARY2", StudyInstanceUID="1.2.840.7777")
    xray = sent(PatientName="CANARY^A", PatientID="CANARY2", AccessionNumber="CANARY3", StudyInstanceUID="1.2.840.7777")
    with scp("--bundle", small_bundle, "--save", "sr") as node:
        assert send(node, xray, broken) == [0, 0]
        node.wait_for("screened")
        node.wait_for("failed")
    reported = node.log.read_text()
    assert "job 1 screened" in reported
    assert "job 2 failed: UNREADABLE" in reported
    for secret in ("CANARY", "1.2.840.7777", xray.SOPInstanceUID):
        assert secret not in reported
