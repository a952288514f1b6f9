"""What the tests of the node send with, and a PACS that takes what the node sends on."""

import time
from contextlib import contextmanager

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import ComputedRadiographyImageStorage, Verification

from cxrnet.atomic import write_atomic
from cxrnet.node.objects import WrittenObjects
from cxrnet.node.pynetdicom_workarounds import store

WAIT = 30.0
"""Longest wait for something that happens in another thread, seconds."""


def eventually(condition, *, seconds=WAIT):
    """Wait until `condition()` holds and return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
    return found


def entity(title="SENDER", *, kinds=(ComputedRadiographyImageStorage,), syntaxes=(ExplicitVRLittleEndian,)):
    """Return an application entity that may ask for storage of `kinds`."""
    made = AE(ae_title=title)
    made.acse_timeout = made.dimse_timeout = made.network_timeout = made.connection_timeout = 20
    made.add_requested_context(Verification)
    for kind in kinds:
        made.add_requested_context(kind, list(syntaxes))
    return made


@contextmanager
def association(node, *, title="SENDER", called="CXRNET", **options):
    """Give an association with whatever has a `port`, established or not."""
    made = entity(title, **options).associate("127.0.0.1", node.port, ae_title=called)
    try:
        yield made
    finally:
        if made.is_established:
            made.release()


def send(node, *datasets, **options):
    """Send data sets by one association and return the status of each."""
    with association(node, **options) as open_one:
        assert open_one.is_established
        return [store(open_one, dataset).get("Status") for dataset in datasets]


@contextmanager
def archive(status=0x0000, *, title="ARCHIVE", kinds=(ComputedRadiographyImageStorage,), keeps=True):
    """Give a stand-in for a PACS: a list of what was stored, and `archive.port`.

    Args:
        status: What it answers.
        title: Its AE title.
        kinds: What it takes.
        keeps: Whether it keeps what is stored, or only the UIDs.
    """
    stored = Stored()

    def take(event):
        stored.asked += 1
        if status == 0:
            stored.uids.add(event.request.AffectedSOPInstanceUID)
            if keeps:
                stored.append(event.dataset)
        return status

    made = AE(ae_title=title)
    made.add_supported_context(Verification)
    for kind in kinds:
        made.add_supported_context(kind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    server = made.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    stored.port = server.server_address[1]
    try:
        yield stored
    finally:
        server.shutdown()


class Stored(list):
    """What an archive was sent and stored, and the `uids` of it; `asked` counts what it did not store as well."""

    def __init__(self):
        super().__init__()
        self.port, self.asked, self.uids = 0, 0, set()


def copy_objects(finding, source, kinds, folder):
    """Stand in for the objects: the source itself, once a kind, so that a test of the queue needs no highdicom."""
    paths = []
    for kind in kinds:
        path = folder / f"{kind}.dcm"
        write_atomic(path, source.read_bytes())
        paths.append(path)
    return WrittenObjects(tuple(paths))
