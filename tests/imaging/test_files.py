import errno
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
    "content", [b"x", b"%PDF-1.7 ...", b"<svg></svg>", b"SIMPLE  =", bytes(4096), b"%!PS-Adobe", bytes(range(256))]
)
def test_other_formats_are_refused(tmp_path, content):
    (tmp_path / "xray.png").write_bytes(content)
    with pytest.raises(RadiographError, match=r"xray.png: the file is not in a known image format; DICOM, PNG"):
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
@pytest.mark.parametrize("rest", [b"", bytes(300), b"\xff" * 300, bytes(range(256))])
def test_nonsense_behind_a_signature_is_refused(tmp_path, start, rest):
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
