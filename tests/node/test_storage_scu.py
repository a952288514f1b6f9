import socket

import pytest
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless

from cxrnet.errors import PacsError, UsageError
from cxrnet.node.settings import TLS
from cxrnet.node.storage_scu import StorageSCU, parse_destination
from tests.node.senders import archive


@pytest.fixture
def xray(sent, tmp_path):
    """Path of a made-up radiograph to send on."""
    path = tmp_path / "xray.dcm"
    sent().save_as(path, enforce_file_format=True)
    return path


def destination(stored, **options):
    return StorageSCU("ARCHIVE", "127.0.0.1", stored.port, calling="CXRNET", **{"seconds": 5.0} | options)


def test_files_are_stored_by_one_association(xray, sent, tmp_path):
    other = tmp_path / "other.dcm"
    sent().save_as(other, enforce_file_format=True)
    with archive() as stored:
        destination(stored).send([xray, other])
        StorageSCU("ARCHIVE", "localhost", stored.port, calling="CXRNET").send([xray])  # a name without a point
    assert len(stored) == 3


def test_a_little_endian_file_is_converted_for_one_that_takes_the_other_kind(sent, tmp_path):
    path, dataset = tmp_path / "implicit.dcm", sent()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True, implicit_vr=True)
    with archive() as stored:
        destination(stored).send([path])
    assert len(stored) == 1


def test_nobody_there_is_unreachable(xray):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(PacsError, match=r"ARCHIVE@127.0.0.1:\d+: no association") as caught:
        StorageSCU("ARCHIVE", "127.0.0.1", port, calling="CXRNET").send([xray])
    assert (caught.value.code, caught.value.is_final) == ("UNREACHABLE", False)


def test_no_such_host(xray):
    with pytest.raises(PacsError, match="no such host"):
        StorageSCU("ARCHIVE", "host.invalid", 104, calling="CXRNET").send([xray])


def test_a_kind_that_is_not_taken_is_final(xray):
    with archive(kinds=()) as stored, pytest.raises(PacsError, match="does not take Computed Radiography") as caught:
        destination(stored).send([xray])
    assert (caught.value.code, caught.value.is_final) == ("NOT_ACCEPTED", True)


def test_a_compressed_file_is_not_taken_by_one_that_takes_plain_ones(xray, sent, tmp_path):
    path, dataset = tmp_path / "compressed.dcm", sent()
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset["PixelData"].is_undefined_length = True
    dataset.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x02\x00\x00\x00ab"
    dataset.save_as(path, enforce_file_format=True)
    with archive() as stored, pytest.raises(PacsError, match="does not take Computed Radiography"):
        destination(stored).send([path])


@pytest.mark.parametrize(
    ("status", "is_final"), [(0xA700, False), (0x0124, False), (0xA900, True), (0xC000, True), (0x0122, True)]
)
def test_a_status_that_is_no_success(xray, status, is_final):
    with archive(status) as stored, pytest.raises(PacsError, match=f"status 0x{status:04X}") as caught:
        destination(stored).send([xray])
    assert (caught.value.code, caught.value.is_final) == ("NOT_STORED", is_final)


def test_a_warning_is_a_success(xray):
    with archive(0xB000) as stored:
        destination(stored).send([xray])
    assert stored.asked == 1


def test_a_line_that_is_not_encrypted_is_not_used_where_it_must_be(xray, certificate):
    with archive() as stored, pytest.raises(PacsError, match="no association"):
        destination(stored, tls=TLS(authorities=certificate)).send([xray])


@pytest.mark.parametrize("text", ["PACS@host:104", "MY PACS@10.0.0.1:104", "https://host/dicom-web"])
def test_parse_destination(text):
    assert parse_destination(text, calling="CXRNET").name == text


@pytest.mark.parametrize(
    "text", ["host:104", "PACS@host", "PACS@host:0", "PACS@host:99999", "ftp://host", "@host:1", f"{17 * 'A'}@host:104"]
)
def test_parse_destination_of_an_invalid_text(text):
    with pytest.raises(UsageError, match="is not a"):
        parse_destination(text, calling="CXRNET")


def test_certificates_that_are_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot be used"):
        parse_destination("PACS@host:104", calling="CXRNET", tls=TLS(authorities=tmp_path / "nix.pem"))
