"""Bundles by name: those in the user's data folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from cxrnet.bundle.folder import CHECKSUMS, Bundle, read_bundle
from cxrnet.errors import BundleError

HOME_VARIABLE = "CXRNET_HOME"
"""Environment variable that names another data folder."""


def bundles_folder() -> Path:
    """Return the folder where named bundles live; it need not exist."""
    home = os.environ.get(HOME_VARIABLE)
    return (Path(home) if home else Path(platformdirs.user_data_dir("cxrnet", appauthor=False))) / "bundles"


def bundle_folders() -> dict[str, Path]:
    """Return name -> folder of every named bundle, sorted by name; the bundles are not read."""
    folder = bundles_folder()
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path for path in found if (path / CHECKSUMS).is_file() and not path.name.startswith(".")}


def open_bundle(name_or_path: str | Path) -> Bundle:
    """Return the bundle of this name, or in this folder; a path wins over a name.

    Raises:
        BundleError: There is none, or it is damaged.
    """
    path = Path(name_or_path)
    if (path / CHECKSUMS).is_file():
        return read_bundle(path)
    named = bundle_folders()
    if str(name_or_path) in named:
        return read_bundle(named[str(name_or_path)])
    if path.is_dir():
        return read_bundle(path)
    known = ", ".join(named) or "none yet"
    msg = (
        f"{name_or_path}: no bundle of this name in {bundles_folder()} and no such folder; "
        f"known names: {known}; `cxrnet weights import` makes one"
    )
    raise BundleError(msg)
