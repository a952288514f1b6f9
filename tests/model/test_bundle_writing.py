"""Writing a bundle: whole or not at all, and never over anything else."""

import os
from pathlib import Path

import pytest

from cxrnet.errors import BundleError, OutputError
from cxrnet.model import bundle as folder_module
from cxrnet.model.bundle import CARD, GRAPH, write_bundle
from tests.model.conftest import CONFIG_OF_LUNGS, FILES

NEWER = CONFIG_OF_LUNGS.model_copy(update={"version": "2.0"})
FULL = "No space left on device"


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _full(*_args, **_kwargs):
    raise OSError(28, FULL)


def test_existing_folder_is_refused(bundle):
    with pytest.raises(BundleError, match="lungs: exists already; choose another folder or say --overwrite"):
        write_bundle(bundle.folder, CONFIG_OF_LUNGS, FILES)


def test_folder_that_is_no_bundle_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(BundleError, match="is not a bundle; it will not be overwritten"):
        write_bundle(tmp_path, CONFIG_OF_LUNGS, FILES, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


@pytest.mark.parametrize("files", [{}, {**FILES, GRAPH: b""}, {**FILES, "extra": b""}])
def test_other_files_than_the_config_needs_are_refused(tmp_path, files):
    with pytest.raises(BundleError, match=r"lungs: got .*config\.json.*; needs config\.json, weights\.safetensors"):
        write_bundle(tmp_path / "lungs", CONFIG_OF_LUNGS, files)
    assert not (tmp_path / "lungs").exists()


def test_overwriting_replaces_the_whole(bundle):
    (bundle.folder / ".stale").write_bytes(b"")
    newer = write_bundle(bundle.folder, NEWER, FILES | {CARD: b"# Newer"}, overwrite=True)
    assert (newer.config.version, newer.card) == ("2.0", "# Newer")
    assert not (bundle.folder / ".stale").exists()


def test_overwriting_leaves_nothing_else_behind(bundle):
    write_bundle(bundle.folder, NEWER, FILES, overwrite=True)
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["lungs"]


def test_folders_above_are_made(tmp_path):
    assert write_bundle(tmp_path / "a" / "b" / "lungs", CONFIG_OF_LUNGS, FILES).config == CONFIG_OF_LUNGS


@pytest.mark.parametrize("place", ["write_atomic", "_swap"])
def test_interrupted_write_leaves_the_old_bundle(bundle, monkeypatch, place):
    def interrupt(*_args):
        raise KeyboardInterrupt

    before = _contents(bundle.folder)
    monkeypatch.setattr(folder_module, place, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(bundle.folder, NEWER, FILES, overwrite=True)
    assert _contents(bundle.folder) == before
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["lungs"]


def test_full_disk_leaves_the_old_bundle(bundle, monkeypatch):
    before = _contents(bundle.folder)
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OutputError, match=rf"cannot be written \({FULL}\); free space"):
        write_bundle(bundle.folder, NEWER, FILES, overwrite=True)
    assert _contents(bundle.folder) == before
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["lungs"]


def test_rename_that_fails_brings_the_old_bundle_back(bundle, monkeypatch):
    before, rename = _contents(bundle.folder), Path.rename

    def fail_once(source, target):
        if target == bundle.folder and not source.name.endswith(".old"):
            raise PermissionError(13, "Permission denied")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OutputError, match=r"lungs: cannot be written \(Permission denied\)"):
        write_bundle(bundle.folder, NEWER, FILES, overwrite=True)
    assert _contents(bundle.folder) == before
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["lungs"]


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"lungs: cannot be written \("):
        write_bundle(tmp_path / "file" / "lungs", CONFIG_OF_LUNGS, FILES)
