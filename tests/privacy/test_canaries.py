"""Every text element filled with canaries, by good and broken files, at the highest verbosity: none comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.privacy import canaries

MARK = canaries.MARK.encode()
# What a user can turn on to see more, and what a developer would.
LOUD = {"PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1", "PYDICOM_DEBUG": "1", "LOGLEVEL": "DEBUG"}


@pytest.fixture(scope="module")
def xrays(tmp_path_factory):
    """Folder of radiographs full of canaries, good and broken."""
    folder = tmp_path_factory.mktemp("xrays")
    (folder / "good.dcm").write_bytes(canaries.dicom())
    (folder / "all.dcm").write_bytes(canaries.dicom(kept=False))
    for name, data in canaries.broken().items():
        (folder / f"{name}.dcm").write_bytes(data)
    for kind in ("PNG", "JPEG", "TIFF"):
        (folder / f"picture.{kind.lower()}").write_bytes(canaries.picture(kind))
    return folder


def screened(bundle, place, *words):
    return run(place, "-m", "cxrnet", *words, "--bundle", str(bundle))


def run(place, *words):
    """Return what Python said on both its outputs; `place` also gets its temporary files."""
    (place / "temporary").mkdir()
    program = [sys.executable, *words]
    environment = os.environ | LOUD | {"TMPDIR": str(place / "temporary")}
    return subprocess.run(program, cwd=place, env=environment, capture_output=True, check=False)


def chirping(folder: Path) -> list[str]:
    """Return the files that hold a canary, pictures and archives unpacked, DICOM objects apart."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not canaries.holds_dicom(data := path.read_bytes()) and sings(data):
            found.append(str(path.relative_to(folder)))
        if MARK.lower() in os.fsencode(path.name).lower():
            found.append(path.name)
    return found


def sings(data: bytes) -> bool:
    """Return whether a canary is in the bytes, as they are, in two bytes a letter, or behind a deflated stream."""
    if MARK in data or MARK.decode().encode("utf-16-le") in data:
        return True
    at = data.find(b"\x78")
    while at >= 0:
        try:
            if MARK in zlib.decompressobj().decompress(data[at:], 10_000_000):
                return True
        except zlib.error:
            pass
        at = data.find(b"\x78", at + 1) if len(data) < 20_000 else -1
    return False


def test_detector_hears_a_canary(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"name": "ZZPHI00001"}))
    (tmp_path / "b.png").write_bytes(canaries.picture("PNG"))
    (tmp_path / "c.txt").write_bytes(b"x" + zlib.compress(b"...ZZPHI..."))
    (tmp_path / "ZZPHI.txt").write_bytes(b"")
    (tmp_path / "d.dcm").write_bytes(canaries.dicom())
    assert sorted(chirping(tmp_path)) == ["ZZPHI.txt", "a.json", "b.png", "c.txt"]


@pytest.mark.parametrize(
    ("verb", "save"), [("screen", "json,png,npz-full"), ("screen", "json,seg,sr,sc,gsps"), ("segment", "npz")]
)
def test_no_canary_leaves_by_a_batch(small_bundle, xrays, tmp_path, verb, save):
    done = screened(small_bundle, tmp_path, verb, str(xrays), "--out", "out", "--save", save)
    assert done.returncode == 1
    assert not sings(done.stdout + done.stderr), done.stderr.decode()
    table = next((tmp_path / "out").glob("*.csv")).read_text().splitlines()
    assert len(table) == 1 + len(list(xrays.iterdir()))
    assert chirping(tmp_path) == []


EACH = """
import sys
from cxrnet.cli import main
words, paths = sys.argv[1:4], sys.argv[4:]
for path in paths:
    sys.argv[1:] = [*words, path]
    try:
        main()
    except SystemExit as end:
        print("ended with", end.code)
"""


def test_no_canary_leaves_by_inspect(small_bundle, xrays, tmp_path):
    program = ["-c", EACH, "inspect", "--bundle", str(small_bundle)]
    done = run(tmp_path, *program, *map(str, xrays.iterdir()))
    assert done.stdout.count(b"ended with") == len(list(xrays.iterdir()))
    assert not sings(done.stdout + done.stderr), (done.stdout + done.stderr).decode(errors="replace")


def test_no_canary_leaves_by_python(pipeline, xrays, capfd):
    from cxrnet.errors import RadiographError

    for path in sorted(xrays.iterdir()):
        reported = []
        try:
            finding = pipeline.screen(path)
            reported += [finding.to_json(), repr(finding), repr(finding.radiograph)]
        except RadiographError as error:
            reported += [repr(error), str(error), repr(error.__cause__), repr(error.__context__)]
        assert not sings("".join(reported).encode()), path.name
    assert not sings("".join(capfd.readouterr()).encode())


def test_identifiers_and_nothing_else_come_out_when_asked(small_bundle, xrays, cxrnet, tmp_path):
    words = ("screen", xrays / "good.dcm", "--out", tmp_path / "out", "--include-identifiers")
    assert cxrnet(*words, "--bundle", small_bundle).code == 0
    record = json.loads((tmp_path / "out" / "good" / "finding.json").read_text())
    assert set(record["identifiers"]) == {
        "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AccessionNumber",
    }  # fmt: skip
    del record["identifiers"]
    assert MARK.decode() not in json.dumps(record)


def test_burnt_in_annotation_is_warned_about(small_bundle, cxrnet, tmp_path):
    path = tmp_path / "xray.dcm"
    path.write_bytes(canaries.encoded_with(BurnedInAnnotation="YES"))
    said = cxrnet("screen", path, "--out", tmp_path / "out", "--bundle", small_bundle)
    line = "WARNING xray.dcm: Burned In Annotation (0028,0301) is YES: text is part of the picture"
    assert line in said.err.splitlines()
    assert line.split(": ", 1)[1] in (tmp_path / "out" / "findings.csv").read_text()
