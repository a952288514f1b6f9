"""The command line in process, as a user calls it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from cxrnet.cli import main
from tests.decoders import kept_children
from tests.screening.conftest import chest, dicom

__all__ = ["chest", "cxrnet", "dicom", "kept_children"]


@dataclass
class Said:
    """What a command left: its exit `code`, standard `out` and `err`."""

    code: int
    out: str
    err: str


@pytest.fixture
def cxrnet(monkeypatch, capsys):
    """Function that runs `cxrnet WORD...` and returns what it said."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["cxrnet", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(ended.value.code or 0, said.out, said.err)

    return run
