import errno
import os
import subprocess
import sys

import pytest
import torch

from cxrnet.errors import OutputError
from cxrnet.training.checkpoint import AtomicCheckpoints

OLD, NEW = ({"weights": torch.full((200_000,), value)} for value in (1.0, 2.0))

KILLED = """
import os, signal, sys, torch
from cxrnet.training.checkpoint import AtomicCheckpoints

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # everything is written aside, nothing renamed
AtomicCheckpoints().save_checkpoint({"weights": torch.full((200_000,), 2.0)}, sys.argv[1])
"""


@pytest.fixture
def path(tmp_path):
    """Path of a checkpoint that is there already."""
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpoints().save_checkpoint(OLD, path)
    return path


def holds(path, checkpoint):
    return torch.equal(torch.load(path, weights_only=True)["weights"], checkpoint["weights"])


def test_checkpoint_is_read_back_and_the_one_before_is_kept(path):
    AtomicCheckpoints().save_checkpoint(NEW, path)
    assert holds(path, NEW)
    assert holds(path.with_name("previous.ckpt"), OLD)


def test_place_that_is_a_folder_is_an_output_error(path):
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match=r"last\.ckpt: cannot be written"):
        AtomicCheckpoints().save_checkpoint(NEW, path)


def test_save_that_is_killed_leaves_the_old_checkpoint(path):
    killed = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert killed.returncode == -9
    assert holds(path, OLD)


def test_save_on_a_full_disk_leaves_the_old_checkpoint_and_says_so(path, monkeypatch):
    def fsync(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="cannot be written"):
        AtomicCheckpoints().save_checkpoint(NEW, path)
    assert holds(path, OLD)
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]
