import io
import subprocess
import sys

import pytest

from cxrnet.imaging import decoder_process
from cxrnet.imaging.protocol import receive
from cxrnet.imaging.radiograph import Fault, Limits


class PanicError(BaseException):
    """As raised by codecs written in Rust."""


def answer_when_reading_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> tuple[bool, dict]:
    def read_file(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(decoder_process, "read_file", read_file)
    answers = io.BytesIO()
    is_sound = decoder_process.answer({"path": "xray", "name": "xray"}, answers, Limits())
    answers.seek(0)
    return is_sound, receive(answers)


def test_panic_is_answered_and_the_process_replaced(monkeypatch):
    is_sound, answer = answer_when_reading_raises(monkeypatch, PanicError("ZZPHI"))
    assert not is_sound
    assert answer == {
        "code": Fault.DECODER_DIED,
        "line": "xray: the decoder gave up with PanicError; the file is damaged",
    }


def test_memory_error_is_answered_and_the_process_replaced(monkeypatch):
    is_sound, answer = answer_when_reading_raises(monkeypatch, MemoryError())
    assert not is_sound
    assert answer["code"] == Fault.DECODER_MEMORY
    assert answer["line"].startswith("xray: decoding needs more than 1536 MiB; ")


def test_mistake_of_ours_is_one_line_without_values(monkeypatch):
    is_sound, answer = answer_when_reading_raises(monkeypatch, KeyError("ZZPHI"))
    assert is_sound
    assert answer["line"] == "xray: reading failed with KeyError; this is a fault of cxrnet, please report it"


def test_memory_is_limited_above_what_is_used():
    program = (
        "from cxrnet.imaging.decoder_process import limit_memory; "
        "limit_memory(64 * 2**20); held = bytearray(32 * 2**20)\n"
        "try: bytearray(256 * 2**20)\n"
        "except MemoryError: print('limited')"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "limited\n"
