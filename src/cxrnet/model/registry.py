"""Bundles by name: the user's own, and those that come with the package."""

import os
from os import PathLike
from pathlib import Path

import platformdirs

from cxrnet.errors import BundleError
from cxrnet.model.bundle import CHECKSUMS, PICKLES, Bundle, read_bundle

HOME_VARIABLE = "CXRNET_HOME"
"""Environment variable that names another data folder."""

SHIPPED = Path(__file__).parents[1] / "models"
"""Folder of the bundles that come with the package."""


def bundles_folder() -> Path:
    """Return the folder where a user's named bundles live; it need not exist."""
    home = os.environ.get(HOME_VARIABLE)
    return (Path(home) if home else Path(platformdirs.user_data_dir("cxrnet", appauthor=False))) / "bundles"


def bundle_folders() -> dict[str, Path]:
    """Return name -> folder of every named bundle, sorted by name; the bundles are not read.

    A user's bundle overrides a shipped one of the same name.
    """
    found = {path.name: path for place in (SHIPPED, bundles_folder()) for path in _bundles_in(place)}
    return dict(sorted(found.items()))


def hidden_folders() -> dict[str, Path]:
    """Return name -> folder of the shipped bundles that a user's bundle of the same name overrides."""
    named = bundle_folders()
    return {path.name: path for path in _bundles_in(SHIPPED) if named[path.name] != path}


def is_shipped(folder: Path) -> bool:
    """Return whether this is the folder of a bundle that came with the package."""
    return folder.resolve().parent == SHIPPED.resolve()


def open_bundle(name_or_path: str | PathLike[str]) -> Bundle:
    """Return the bundle of this name, or in this folder; a path wins over a name.

    Raises:
        BundleError: It does not exist, or is damaged.
    """
    if not isinstance(name_or_path, str | PathLike) or not str(name_or_path).strip():
        raise BundleError(f"{name_or_path!r}: names no bundle; give the name of one, or the path of its folder")
    path = Path(name_or_path)
    try:
        if (path / CHECKSUMS).is_file():
            return read_bundle(path)
    except (OSError, ValueError) as error:  # a folder without access, a name too long, a null character
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise BundleError(
            f"{str(path)[:255]!r}: cannot be read ({reason}); give a readable folder or a name"
        ) from error
    named = bundle_folders()
    if str(name_or_path) in named:
        return read_bundle(named[str(name_or_path)])
    if path.is_dir():
        return read_bundle(path)
    if path.suffix.lower() in PICKLES and path.is_file():
        raise BundleError(
            f"{path.name}: {path.suffix} files can run code when loaded and are not accepted; "
            "a bundle is a folder with safetensors"
        )
    known = ", ".join(named) or "no bundle yet"
    raise BundleError(
        f"{name_or_path}: no bundle of this name in {bundles_folder()} and no such folder; "
        f"known names: {known}; `cxrnet weights import` makes one"
    )


def _bundles_in(folder: Path) -> list[Path]:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if (path / CHECKSUMS).is_file() and not path.name.startswith(".")]
