"""The bad inputs by the third way in, the node: each is answered, ends with the right code, and the rest is done."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

pytest.importorskip("pynetdicom")

from pydicom import dcmread
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE

from cxrnet.node.log import digest
from cxrnet.node.pynetdicom_workarounds import reader_paused
from cxrnet.node.spool import Spool
from tests.hostile.inputs import DONE, REGISTER
from tests.hostile.inputs.material import body_of, plain
from tests.hostile.test_matrix import SECONDS, made
from tests.node.conftest import node
from tests.node.process import scp
from tests.node.senders import association

__all__ = ["node", "scp"]

GROUPS = ("header", "greyscale", "codecs")
# What is wrong with these is the meta information, which a sender does not send.
MENDED = ("odd_representation_in_the_meta_information", "group_length_that_lies")
SENT = [one for one in REGISTER.values() if one.group in GROUPS and not one.is_slow and one.name not in MENDED]
ROOT = "1.2.826.0.1.3680043.8.498.77."


def data_set(path: Path) -> tuple[str, bytes] | None:
    """Return the transfer syntax and the bytes behind the meta information, None where they cannot be found."""
    data = path.read_bytes()
    try:
        syntax = str(dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=[]).file_meta.TransferSyntaxUID)
    except Exception:  # the meta information is what is bad
        return None
    body = body_of(data)
    return (syntax, data[body:]) if 0 < body < len(data) else None


def store(running, syntax: str, content: bytes, uid: str) -> int | None:
    """Send bytes as they are, as no honest sender would; return the status, None where the syntax is not taken."""
    with association(running, syntaxes=(syntax,)) as one:
        taken = [context for context in one.accepted_contexts if context.abstract_syntax != "1.2.840.10008.1.1"]
        if not taken:
            return None
        request = C_STORE()
        request.MessageID, request.Priority = 1, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = ComputedRadiographyImageStorage, uid
        request.DataSet = io.BytesIO(content)
        with reader_paused(one):
            one.dimse.send_msg(request, taken[0].context_id)
            _, answer = one.dimse.get_msg(block=True)
        assert answer is not None, "no answer"
        return answer.Status


@pytest.mark.slow
def test_every_bad_data_set_is_answered_and_ends_with_the_right_code(scp, small_bundle, tmp_path):
    place = tmp_path / "inputs"
    place.mkdir()
    paths = made(SENT, place)
    answers: dict[str, int | None] = {}
    uids = {name: f"{ROOT}{number}" for number, name in enumerate([*paths, "control"], start=1)}
    with scp("--bundle", small_bundle, "--save", "sr", spool=tmp_path / "spool") as running:
        for name, path in paths.items():
            found = data_set(path)
            if found is not None and "/" not in found[0]:
                answers[name] = store(running, *found, uids[name])
        control = plain()
        answers["control"] = store(running, ExplicitVRLittleEndian, control[body_of(control) :], uids["control"])
        taken = sum(status == 0 for status in answers.values())
        end = time.monotonic() + SECONDS * taken
        while sum(running.counts().values()) - running.counts()["received"] < taken:
            assert time.monotonic() < end
            assert running.process.poll() is None, running.log.read_text()
            time.sleep(0.2)
        queue = Spool(running.spool).open_queue()
        rows = {row.instance: row for row in queue.rows()}
        queue.close()
        log = running.log.read_text()
    print(f"{len(answers)} data sets answered, {taken} taken, of {len(SENT)} inputs")
    assert len(answers) >= 90
    assert taken >= 60
    wrong = {}
    for name, status in answers.items():
        if status == 0 and name != "control":
            row = rows[digest(uids[name])]
            code = DONE if row.state == "screened" else row.code
            if code not in REGISTER[name].codes | {"OBJECTS"} or not row.reason.isprintable():
                wrong[name] = (row.state, row.code, row.reason)
    assert wrong == {}
    assert "Traceback" not in log
    assert sum(row.code == "INTERNAL" for row in rows.values()) == 0
