import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrnet.errors import RadiographError, UsageError
from cxrnet.imaging import child, decoding
from cxrnet.imaging.decoding import Decoder, check_file, read_radiograph
from cxrnet.imaging.radiograph import Fault, Limits

from .conftest import dicom_of, read, save


@pytest.fixture(scope="module")
def xray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("xrays") / "xray.png"
    Image.linear_gradient("L").save(path)
    return path


@pytest.fixture
def replace_program(monkeypatch: pytest.MonkeyPatch):
    """Run other code in the child after its imports."""

    def replace_program(code: str) -> None:
        program = (
            "import sys, json; sys.path[:] = json.loads(sys.argv[1])\nfrom cxrnet.imaging import decoder_process\n"
        )
        monkeypatch.setattr(child, "PROGRAM", program + textwrap.dedent(code) + "\ndecoder_process.main()")

    return replace_program


def on_reading(code: str) -> str:
    return f"def read_file(*_, **__):\n    import os, time\n    {code}\ndecoder_process.read_file = read_file"


def test_child_reads_what_the_reader_reads(xray):
    with Decoder() as decoder:
        there, here = decoder.read(xray), read(xray)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert replace(there, pixels=here.pixels).__dict__ == here.__dict__


def test_child_returns_all_fields_of_a_dicom_xray(write_dicom, ramp):
    path = write_dicom(ramp, PixelSpacing=[0.2, 0.1], ViewPosition="PA", BurnedInAnnotation="YES")
    there, here = read_radiograph(path), read(path)
    assert replace(there, pixels=here.pixels).__dict__ == here.__dict__


def test_decoder_reads_on_after_a_refusal(xray, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    with Decoder() as decoder:
        with pytest.raises(RadiographError, match=r"text\.png: the file is not in a known image format"):
            decoder.read(tmp_path / "text.png")
        assert decoder.read(xray).name == "xray.png"


def test_decoder_can_be_started_early_and_closed_twice(xray):
    decoder = Decoder()
    decoder.start()
    assert decoder.read(xray).format == "PNG"
    decoder.close()
    decoder.close()


def test_closed_decoder_is_refused(xray):
    decoder = Decoder()
    decoder.close()
    with pytest.raises(UsageError, match="decoder: is closed"):
        decoder.read(xray)


def test_hanging_codec_is_killed_in_time(xray, replace_program):
    replace_program(on_reading("time.sleep(60)"))
    with Decoder(Limits(seconds=0.3)) as decoder:
        began = time.monotonic()
        with pytest.raises(RadiographError, match=r"xray\.png: decoding took longer than 0\.3 s; ") as refused:
            decoder.read(xray)
        assert refused.value.code == Fault.DECODER_TIME
        assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_crashing_codec_is_named_by_its_signal(xray, replace_program):
    replace_program(on_reading("os.kill(os.getpid(), 11)"))
    with Decoder() as decoder, pytest.raises(RadiographError, match=r"the decoder died \(SIGSEGV\)") as refused:
        decoder.read(xray)
    assert refused.value.code == Fault.DECODER_DIED


def test_child_that_cannot_start_is_reported(xray, replace_program):
    replace_program("raise SystemExit(3)")
    with Decoder() as decoder, pytest.raises(RadiographError, match=r"the decoder died \(exit status 3\)"):
        decoder.read(xray)


def test_child_that_talks_nonsense_is_reported(xray, replace_program):
    replace_program("import os, time; os.write(1, b'x' * 99); time.sleep(60)")
    with Decoder() as decoder, pytest.raises(RadiographError, match="answered with nonsense"):
        decoder.read(xray)


def test_printing_codec_does_not_disturb_the_answer(xray, replace_program):
    replace_program(
        "read = decoder_process.read_file\nimport os\n"
        + on_reading("os.write(1, b'noise'); print('noise', flush=True); return read(*_, **__)")
    )
    with Decoder() as decoder:
        assert decoder.read(xray).name == "xray.png"


def test_panicking_codec_is_answered_and_the_next_file_is_read(xray, monkeypatch, replace_program):
    replace_program(on_reading("raise type('PanicException', (BaseException,), {})('ZZPHI')"))
    with Decoder() as decoder:
        with pytest.raises(RadiographError, match="the decoder gave up with PanicException; the file is damaged"):
            decoder.read(xray)
        monkeypatch.undo()
        assert decoder.read(xray).name == "xray.png"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_deflated_bomb_runs_into_the_memory_limit(tmp_path, xray, ramp):
    dataset = dicom_of(ramp)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path / "bomb.dcm")
    meta_length = 144 + int.from_bytes(path.read_bytes()[140:144], "little")
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(2**20)) for _ in range(300)) + deflater.flush()
    path.write_bytes(path.read_bytes()[:meta_length] + bomb)
    with Decoder(Limits(memory_bytes=200 * 2**20)) as decoder:
        with pytest.raises(RadiographError, match=r"bomb\.dcm: decoding needs more than 200 MiB") as refused:
            decoder.read(path)
        assert refused.value.code == Fault.DECODER_MEMORY
        assert decoder.read(xray).name == "xray.png"


def test_child_is_replaced_after_its_share_of_files(xray):
    with Decoder(Limits(files_per_child=2)) as decoder:
        seen = []
        for _ in range(4):
            decoder.start()
            seen.append(decoder._child.process.pid)
            decoder.read(xray)
    assert seen[0] == seen[1] != seen[2] == seen[3]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_child_is_left_behind(xray):
    before = children()
    with Decoder(Limits(files_per_child=1)) as decoder:
        decoder.read(xray)
        decoder.read(xray)
    assert children() == before


def children() -> str:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_child_ends_when_its_parent_is_killed(xray):
    program = f"""
        import os, signal
        from cxrnet.imaging import Decoder
        decoder = Decoder()
        decoder.read({str(xray)!r})
        print(decoder._child.process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL
    status = Path(f"/proc/{result.stdout.strip()}/stat")
    until = time.monotonic() + 10
    while status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z" and time.monotonic() < until:
        time.sleep(0.05)
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_script_without_main_guard_works(xray, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"import cxrnet.imaging\nprint(cxrnet.imaging.read_radiograph({str(xray)!r}).format)\n")
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("PNG\n", "")


def test_modules_of_the_working_directory_are_not_imported(xray, tmp_path, monkeypatch):
    (tmp_path / "pydicom.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert read_radiograph(xray).format == "PNG"


def test_relative_path_is_read(xray, monkeypatch):
    with Decoder() as decoder:
        decoder.start()
        monkeypatch.chdir(xray.parent)
        assert decoder.read("xray.png").name == "xray.png"


def test_interrupt_while_reading_leaves_a_usable_decoder(xray, monkeypatch):
    with Decoder() as decoder:
        decoder.read(xray)
        monkeypatch.setattr(decoding, "receive", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            decoder.read(xray)
        monkeypatch.undo()
        assert decoder.read(xray).name == "xray.png"


def raise_interrupt(_: object) -> None:
    raise KeyboardInterrupt


def refusal(path: str | Path, limits: Limits | None = None) -> tuple[str, str]:
    with pytest.raises(RadiographError) as refused:
        check_file(path, Path(path).name, limits or Limits())
    return refused.value.code, str(refused.value)


def test_missing_file_is_not_found(tmp_path):
    assert refusal(tmp_path / "xray") == (Fault.NOT_FOUND, "xray: no such file; give an existing file")


def test_folder_is_not_a_file(tmp_path):
    assert refusal(tmp_path)[1].endswith(": a folder; give a regular file")


def test_empty_file_is_unreadable(tmp_path):
    (tmp_path / "xray").touch()
    assert refusal(tmp_path / "xray") == (Fault.UNREADABLE, "xray: the file is empty; copy or export it again")


def test_large_file_is_too_large(xray):
    code, line = refusal(xray, Limits(file_bytes=10))
    assert (code, line.endswith("bytes; at most 10 bytes are read")) == (Fault.TOO_LARGE, True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "xray")
    assert refusal(tmp_path / "xray")[1] == "xray: a device, pipe or socket; give a regular file"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs rights for links")
def test_link_to_nothing_and_loop_of_links_are_not_found(tmp_path):
    (tmp_path / "xray").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path / "xray")[1] == "xray: a link to nothing; give an existing file"
    assert refusal(tmp_path / "loop")[1] == "loop: not a usable path; give an existing file"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_impossible_name_is_not_found(tmp_path, name):
    code, line = refusal(str(tmp_path / name))
    assert (code, line.isprintable()) == (Fault.NOT_FOUND, True)


def test_forbidden_folder_is_unreadable(monkeypatch):
    def forbid(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "stat", forbid)
    assert refusal("xray") == (Fault.UNREADABLE, "xray: permission denied; a readable file is needed")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["j2k_hang.dcm", "rle_panic.dcm"])
def test_hostile_file_is_refused_at_once(shared, name):
    with Decoder() as decoder, pytest.raises(RadiographError, match=f"^{name}: "):
        decoder.read(shared / "hostile" / name)


@pytest.mark.shared
def test_every_odd_file_ends_in_a_radiograph_or_one_line(shared):
    with Decoder() as decoder:
        outcomes = {path.name: outcome(decoder, path) for path in sorted((shared / "data/odd").glob("*/*"))}
    assert {code for code, _ in outcomes.values()} == {"read", *Fault} - {
        *(Fault.NOT_FOUND, Fault.NOT_A_FILE, Fault.TOO_LARGE),
        *(Fault.DECODER_TIME, Fault.DECODER_MEMORY, Fault.DECODER_DIED),
    }
    assert all(line.isprintable() for _, line in outcomes.values())


def outcome(decoder: Decoder, path: Path) -> tuple[str, str]:
    try:
        return "read", decoder.read(path).name
    except RadiographError as error:
        return error.code, str(error)


def test_folder_that_cannot_be_listed_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert refusal(tmp_path)[1].endswith(": a folder that cannot be listed; give a regular file")


def test_identifiers_are_read_only_when_asked(write_dicom, ramp):
    path = write_dicom(ramp, PatientID="P\n17", AccessionNumber="A9", StudyInstanceUID="1.2.3")
    assert read_radiograph(path).identifiers is None
    with Decoder(identifiers=True) as decoder:
        assert decoder.read(path).identifiers == {
            "PatientID": "P\\n17",
            "StudyInstanceUID": "1.2.3",
            "SOPInstanceUID": "1.2.3",
            "AccessionNumber": "A9",
        }


def test_picture_has_no_identifiers(xray):
    with Decoder(identifiers=True) as decoder:
        assert decoder.read(xray).identifiers == {}


def test_child_that_was_started_early_is_the_first_one_taken(xray):
    child.launch_early()
    (early,) = child._early
    with Decoder() as decoder:
        decoder.read(xray)
        assert decoder._child is early
    assert early.process.poll() is not None


def test_early_child_ends_when_nobody_takes_it():
    child.launch_early()
    (early,) = child._early
    child.discard_early()
    assert early.process.poll() is not None
