from __future__ import annotations

import errno
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxrnet.errors import OutputError
from cxrnet.training.checkpoint import WholeCheckpoints

OLD, NEW = ({"weights": torch.full((200_000,), value)} for value in (1.0, 2.0))

KILLED = """
import io, os, signal, sys, torch
from pathlib import Path
from cxrnet.training.checkpoint import WholeCheckpoints

path, way = Path(sys.argv[1]), sys.argv[2]
new = {"weights": torch.full((200_000,), 2.0)}
if way == "whole":
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # everything is written aside, nothing renamed
    WholeCheckpoints().save_checkpoint(new, path)
content = io.BytesIO()
torch.save(new, content)
with path.open("wb") as file:
    file.write(content.getvalue()[:100_000])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path):
    """Path of a checkpoint that is there already."""
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint(OLD, path)
    return path


def is_loadable(path):
    try:
        torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError):
        return False
    return True


def test_checkpoint_is_read_back(path):
    WholeCheckpoints().save_checkpoint(NEW, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], NEW["weights"])


def test_save_that_is_killed_leaves_the_old_checkpoint(path):
    killed = subprocess.run([sys.executable, "-c", KILLED, path, "whole"], check=False)
    assert killed.returncode == -9
    assert torch.equal(torch.load(path, weights_only=True)["weights"], OLD["weights"])


def test_naive_save_that_is_killed_leaves_a_torn_checkpoint(path):
    """The proof above sees what it looks for."""
    killed = subprocess.run([sys.executable, "-c", KILLED, path, "naive"], check=False)
    assert killed.returncode == -9
    assert not is_loadable(path)


def test_save_on_a_full_disk_leaves_the_old_checkpoint_and_says_so(path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="cannot be written"):
        WholeCheckpoints().save_checkpoint(NEW, path)
    assert torch.equal(torch.load(path, weights_only=True)["weights"], OLD["weights"])
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("length", [0, 1, 1000, 100_000, -1])
def test_torn_checkpoint_does_not_load(path, length):
    buffer = io.BytesIO()
    torch.save(NEW, buffer)
    Path(path).write_bytes(buffer.getvalue()[:length])
    assert not is_loadable(path)
