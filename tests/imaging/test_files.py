import errno
import gzip
import hashlib
from pathlib import Path

import pytest
from PIL import Image

from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Fault

from .conftest import read


def test_content_decides_and_not_the_name(tmp_path, write_dicom, ramp):
    path = write_dicom(ramp).rename(tmp_path / "xray.png")
    assert read(path).format == "DICOM"


def test_name_and_checksum_are_of_the_file(tmp_path):
    Image.linear_gradient("L").save(tmp_path / "xray.png")
    radiograph = read(tmp_path / "xray.png")
    assert radiograph.name == "xray.png"
    assert radiograph.sha256 == hashlib.sha256((tmp_path / "xray.png").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (b"x", "; DICOM, PNG"),
        (bytes(4096), "; DICOM, PNG"),
        (bytes(range(256)), "; DICOM, PNG"),
        (b"%PDF-1.7 ...", r" \(a PDF document\); DICOM, PNG"),
        (b"\xef\xbb\xbf\r\n <svg></svg>", r" \(HTML or XML\); download"),
        (b"PK\3\4" + bytes(100), r" \(a ZIP archive\); unpack it"),
        (gzip.compress(bytes(128) + b"DICM"), r" \(gzip-compressed\); unpack it"),
        (b"a.dcm".ljust(257, b"\0") + b"ustar\0" + bytes(250), r" \(a tar archive\); unpack it"),
        (bytes(344) + b"n+1\0", r" \(a NIfTI volume\); DICOM, PNG"),
        (b"version https://git-lfs.github.com/spec/v1\n", r" \(a pointer of Git LFS\); fetch"),
    ],
)
def test_other_formats_are_refused_and_named(tmp_path, content, ending):
    (tmp_path / "xray.png").write_bytes(content)
    with pytest.raises(RadiographError, match="xray.png: the file is not in a known image format" + ending):
        read(tmp_path / "xray.png")


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"II*\0",
        b"MM\0*",
        b"II+\0",
        b"BM",
        b"GIF89a",
        b"RIFF1234WEBP",
        bytes(128) + b"DICM",
        b"\x08\0\x05\0CS\0\0",
        b"\x02\0\0\0UL\4\0",
    ],
)
def test_nonsense_behind_a_signature_is_refused(tmp_path, start):
    for rest in (b"", bytes(300), b"\xff" * 300, bytes(range(256))):
        (tmp_path / "xray").write_bytes(start + rest)
        with pytest.raises(RadiographError, match=r"^xray: .*; .*$"):
            read(tmp_path / "xray")


def test_forbidden_file_is_refused(monkeypatch):
    def forbid(*_: object) -> None:
        raise PermissionError(errno.EACCES, "ZZPHI")

    monkeypatch.setattr("builtins.open", forbid)
    with pytest.raises(RadiographError, match=r"^xray: permission denied; a readable file is needed$"):
        read(Path("xray"))


def test_file_that_vanishes_is_refused(tmp_path):
    with pytest.raises(RadiographError, match=r"xray: cannot be read \(ENOENT\); a readable file") as refused:
        read(tmp_path / "xray")
    assert refused.value.code == Fault.UNREADABLE
