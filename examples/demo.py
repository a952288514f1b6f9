"""Screen a real chest radiograph, and see a leg refused.

The images are those of the package pydicom-data: RG1, a chest (PA, MONOCHROME1, 15 bits), and RG3, a leg. The model is
the one that comes with the package; `--bundle` names another.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from time import perf_counter

from cxrnet import CxrNetError, Finding, Pipeline
from cxrnet.screening.options import DEFAULT_BUNDLE
from cxrnet.screening.outputs import write_finding

FILMS = {"RG1_UNCR.dcm": "a chest", "RG3_UNCR.dcm": "a leg"}


def find_image(name: str) -> Path:
    """Return the path of one of pydicom-data's images."""
    try:
        files = distribution("pydicom-data").files or []
    except PackageNotFoundError:
        sys.exit("ERROR demo: pydicom-data is not installed, which holds the images; pip install 'cxrnet[demo]'")
    return Path(str(next(file for file in files if file.name == name).locate()))


def describe(finding: Finding) -> str:
    """Return what a finding says, in a line or two."""
    if finding.status == "refused":
        return "refused, no score: " + "; ".join(f"{reason.code}: {reason.text}" for reason in finding.reasons)
    kind = "calibrated" if finding.is_calibrated else "uncalibrated"
    scores = ", ".join(f"{label} {score:.4f}" for label, score in finding.scores.items())
    first = next(iter(finding.scores))
    text = f"{finding.status}, {kind}: {scores}"
    if finding.interval:
        low, high = finding.interval[first]
        text += f"; by its {len(finding.folds[first])} folds {first} lies in {low:.4f} to {high:.4f}"
    return text + (f"; uncertain: {finding.uncertainty_reason}" if finding.uncertainty_reason else "")


def main() -> int:
    """Screen the images and print where to look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE, help="name of a bundle, or its folder")
    parser.add_argument("--out", type=Path, default=Path("demo"))
    options = parser.parse_args()
    start = perf_counter()
    with Pipeline.load(options.bundle) as pipeline:
        print(f"model {pipeline.bundle.label}; research use only, not a medical device\n")
        for name, what in FILMS.items():
            finding = pipeline.screen(find_image(name))
            folder = options.out / Path(name).stem
            write_finding(finding, folder, {"json", "png"})
            print(f"{name}, {what}: {describe(finding)}")
            print(f"    picture: {folder / 'panel.png'}")
            print(f"    record:  {folder / 'finding.json'}\n")
    print(f"{perf_counter() - start:.1f} s; look at the pictures first, then at `cxrnet weights show {options.bundle}`")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CxrNetError as error:
        sys.exit(f"ERROR {error}")
