"""The Storage SCP alone: what it takes, what it refuses, what it writes."""

import logging
import shutil
import ssl
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from pynetdicom.sop_class import CTImageStorage, DigitalXRayImageStorageForPresentation

from cxrnet.errors import UsageError
from cxrnet.node.log import digest
from cxrnet.node.settings import TLS, Limits, NodeSettings, parse_peer
from cxrnet.node.spool import Spool
from cxrnet.node.storage_scp import TRANSFER_SYNTAXES, StorageSCP
from cxrnet.node.storage_scu import StorageSCU
from tests.node.senders import association, entity, eventually, send


@pytest.fixture
def receiver(tmp_path):
    """Function that starts a receiver without a worker behind it."""
    started = []

    def start(**options):
        spool = Spool(tmp_path / "spool")
        queue = spool.open_queue()
        limits = Limits(**{"min_free_bytes": 0} | options.pop("limits", {}))
        made = StorageSCP(
            NodeSettings(**{"title": "CXRNET", "port": 0, "limits": limits} | options),
            spool,
            queue,
        )
        made.spool, made.queue = spool, queue
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop(seconds=0.2)
        made.queue.close()


def received(made):
    return [made.spool.source(job.name) for job in made.queue.rows("received")]


def test_an_instance_is_on_disk_whole_when_it_is_answered(receiver, sent):
    made, xray = receiver(), sent()
    assert send(made, xray) == [0]
    (path,) = received(made)
    there = dcmread(path)
    assert there == xray
    assert there.file_meta.TransferSyntaxUID == xray.file_meta.TransferSyntaxUID
    assert there.file_meta.MediaStorageSOPInstanceUID == xray.SOPInstanceUID
    assert path.read_bytes()[:128] == bytes(128)


def test_each_sending_of_an_instance_makes_a_row_that_says_who_sent_what(receiver, sent):
    made, xray = receiver(), sent()
    assert send(made, xray, xray, title="MODALITY") == [0, 0]
    job, _ = made.queue.rows()
    assert (job.sender, job.instance) == ("MODALITY", digest(xray.SOPInstanceUID))
    assert job.bytes == received(made)[0].stat().st_size


def test_radiographs_in_every_usual_transfer_syntax_are_accepted_and_other_images_are_not(receiver):
    made, calling = receiver(), entity(kinds=(CTImageStorage,))
    for syntax in TRANSFER_SYNTAXES:
        calling.add_requested_context(DigitalXRayImageStorageForPresentation, syntax)
    open_one = calling.associate("127.0.0.1", made.port, ae_title="CXRNET")
    accepted = {context.transfer_syntax[0] for context in open_one.accepted_contexts}
    rejected = {context.abstract_syntax for context in open_one.rejected_contexts}
    open_one.release()
    assert accepted == set(TRANSFER_SYNTAXES) | {"1.2.840.10008.1.2"}  # that of the echo
    assert rejected == {CTImageStorage}


def test_compressed_pixels_are_stored_as_they_come(receiver, sent):
    made, xray = receiver(), sent()
    xray.file_meta.TransferSyntaxUID = JPEG2000Lossless
    xray.PixelData = encapsulate([b"\xff\x4f\xff\x51 some frame."])
    xray["PixelData"].is_undefined_length = True
    assert send(made, xray, syntaxes=(JPEG2000Lossless,)) == [0]
    there = dcmread(received(made)[0])
    assert there.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert there.PixelData == xray.PixelData


def test_a_caller_that_is_not_on_the_list_or_calls_another_is_rejected(receiver, sent):
    made = receiver(titles=("MODALITY",))
    for names in ({"title": "STRANGER"}, {"title": "MODALITY", "called": "PACS"}):
        with association(made, **names) as closed:
            assert closed.is_rejected
    assert send(made, sent(), title="MODALITY") == [0]


def test_a_peer_that_is_not_on_the_list_is_rejected(receiver, sent):
    made = receiver(peers=(parse_peer("10.1.0.0/16"),))
    with association(made) as closed:
        assert closed.is_rejected
    assert made.refused == 1
    made.settings = replace(made.settings, peers=(parse_peer("127.0.0.0/8"),))
    assert send(made, sent()) == [0]


def test_an_instance_that_is_too_large_is_out_of_resources_and_the_next_is_taken(receiver, sent):
    made = receiver(limits={"max_instance_bytes": 30_000})
    large, small = sent(), sent()
    large.PixelData = bytes(40_000)
    assert send(made, large, small) == [0xA700, 0]
    assert len(received(made)) == 1


@pytest.mark.parametrize("limits", [{"max_queue": 1}, {"min_free_bytes": 10**18}])
def test_a_full_queue_or_disk_is_out_of_resources(receiver, sent, limits):
    made = receiver(limits=limits)
    assert send(made, sent(), sent())[-1] == 0xA700
    assert len(received(made)) == len(list(made.spool.incoming.iterdir())) < 2


def test_a_spool_that_vanishes_is_out_of_resources(receiver, sent):
    made = receiver()
    shutil.rmtree(made.spool.incoming)
    assert send(made, sent()) == [0xA700]


def test_a_row_that_cannot_be_written_is_out_of_resources(receiver, sent, monkeypatch):
    import sqlite3

    made = receiver()

    def full(**_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(made.queue, "add", full)
    assert send(made, sent()) == [0xA700]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["../../etc/passwd", "..", "a" * 64])
def test_an_invalid_uid_is_not_understood_and_never_becomes_a_path(receiver, sent, uid, tmp_path):
    made, xray = receiver(), sent()
    xray["SOPInstanceUID"]._value = uid
    assert send(made, xray) == [0xC000]
    assert {path.name for path in tmp_path.rglob("*")} <= {
        "chest.dcm", "spool", "incoming", "results", "queue.db", "queue.db-wal", "queue.db-shm",
    }  # fmt: skip


def test_more_associations_than_allowed_are_rejected_for_the_moment(receiver):
    made = receiver(limits={"max_associations": 2})
    with association(made), association(made), association(made) as third:
        assert third.is_rejected
    eventually(lambda: made.associations == 0)
    with association(made) as again:
        assert again.is_established


def test_logs_hold_a_digest_and_no_identifier(receiver, sent, caplog):
    caplog.set_level(logging.DEBUG, logger="cxrnet")
    made, xray = receiver(limits={"max_queue": 1}), sent(PatientName="CANARY^NAME", PatientID="CANARY1")
    send(made, xray, sent(PatientName="CANARY^NAME"))
    reported = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("cxrnet"))
    assert digest(xray.SOPInstanceUID) in reported
    assert "CANARY" not in reported
    assert xray.SOPInstanceUID not in reported
    assert xray.StudyInstanceUID not in reported


def test_stop_ends_associations_that_do_not_end(receiver):
    made = receiver()
    with association(made) as open_one:
        made.stop(seconds=0.2)
        eventually(lambda: not open_one.is_established)


@pytest.mark.parametrize(
    ("tls", "line"),
    [
        (TLS(key="nix.pem"), "--tls-cert: is missing"),
        (TLS(certificate="nix.pem"), "nix.pem: cannot be used for TLS"),
    ],
)
def test_certificates_that_are_not_there(receiver, tls, line):
    with pytest.raises(UsageError, match=line):
        receiver(tls=tls)


def test_callers_must_show_a_certificate_where_authorities_are_named(receiver, sent, certificate):
    made = receiver(tls=TLS(certificate=certificate, authorities=certificate))
    context = ssl.create_default_context(cafile=certificate)
    calling = entity()
    closed = calling.associate("127.0.0.1", made.port, ae_title="CXRNET", tls_args=(context, "localhost"))
    assert not closed.is_established
    context.load_cert_chain(certificate)
    open_one = calling.associate("127.0.0.1", made.port, ae_title="CXRNET", tls_args=(context, "localhost"))
    assert open_one.send_c_store(sent()).Status == 0
    open_one.release()


def test_a_caller_in_the_open_is_not_heard_where_there_is_tls(receiver, certificate):
    made = receiver(tls=TLS(certificate=certificate), limits={"timeout": 2.0})
    with association(made) as closed:
        assert not closed.is_established


def test_results_proceed_by_tls(receiver, sent, certificate, tmp_path):
    made = receiver(tls=TLS(certificate=certificate, authorities=certificate))
    path, tls = tmp_path / "xray.dcm", TLS(certificate=certificate, authorities=certificate)
    sent().save_as(path, enforce_file_format=True)
    StorageSCU("CXRNET", "localhost", made.port, calling="OTHER", tls=tls).send([path])
    assert len(received(made)) == 1
