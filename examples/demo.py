"""Screen a real chest radiograph, and see a leg refused.

The films are those of the package pydicom-data: RG1, a chest (PA, MONOCHROME1, 15 bits), and RG3, a leg. The model
is made from a folder with the published CXR-Net weights, which you name with `--weights`: none is bundled yet.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import distribution
from pathlib import Path

from cxrnet import CxrNetError, Pipeline
from cxrnet.bundle.folder import CHECKSUMS
from cxrnet.nn.published import import_published
from cxrnet.screening.outputs import write_finding

FILMS = ("RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG3_UNCR.dcm")


def find_film(name: str) -> Path:
    """Return the path of one of pydicom-data's films."""
    files = distribution("pydicom-data").files or []
    return Path(str(next(file for file in files if file.name == name).locate()))


def find_bundle(weights: Path, out: Path) -> Path:
    """Return the folder of the bundle published-v7, imported on the first run."""
    folder = out / "bundles" / "published-v7"
    if not (folder / CHECKSUMS).is_file():
        print(f"importing the published weights from {weights}; this takes a minute, once")
        import_published([weights], folder.parent)
    return folder


def main() -> int:
    """Screen the films and print where to look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="folder with the published .h5 files")
    parser.add_argument("--out", type=Path, default=Path("demo"))
    options = parser.parse_args()
    if options.weights is None:
        print("demo: no weights are bundled yet; name a folder with the published CXR-Net .h5 files:")
        print("    make demo WEIGHTS=path/to/weights")
        return 2
    with Pipeline.load(find_bundle(options.weights, options.out)) as pipeline:
        print(f"model: {pipeline.bundle.label}, imported from {options.weights}; research use only")
        for name in FILMS:
            finding = pipeline.screen(find_film(name))
            folder = options.out / Path(name).stem
            write_finding(finding, folder, {"json", "png"})
            scores = ", ".join(f"{label} {score:.4f}" for label, score in finding.scores.items())
            reasons = "; ".join(f"{reason.code}: {reason.text}" for reason in finding.reasons)
            print(f"{name}: {finding.status} {scores}{reasons}")
            print(f"    look at {folder / 'panel.png'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CxrNetError as error:
        sys.exit(f"ERROR {error}")
