"""The published CXR-Net weights as bundles: `published-v7` and `published-jms`.

A file is known by what it holds, not by its name: both the weights-only and the whole-model files of the
original repository (GitHub dgattiwsu/CXR-Net, Apache-2.0) are taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cxrnet.errors import WeightsError
from cxrnet.export.bundle import build_bundle
from cxrnet.export.keras import Layers, digest, load_fold, load_segmenter, read_layers
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import (
    PUBLISHED_LUNG_MASK,
    PUBLISHED_PREPARATION,
    BundleConfig,
    ClassifierConfig,
    SegmenterConfig,
    Standardisation,
)
from cxrnet.nn.network import Network

SEGMENTERS = {
    "5bef53e52751c712318e7da7453a15cf4ca199d70f9a144949b03670b0554923": "v7",
    "1f155a4143199a0d99eebec1cbc8f0d6d07dea82526ae98821afda2f184514d7": "jms",
}
FOLDS = {
    "bfa74efbcd094c42b8f5a23d5d881d2b721a719241bd0565fec95e7b01747254": 0,
    "38d5ffc526f5a1cddabafba740e4115f8a96579ab54ddeaf040f97e670e706e5": 1,
    "90c9fb1f6c90787375ca9da4163f8aaf95d0745eae6746f753306cc41cc0fafe": 2,
    "8872cf1432c5b913ac5d8f45bb0df54765507bd7ca4353ebb71028b3ce5d36f7": 3,
    "2a03b168e09efff88dc9590c7366a9e807ccebe2825ab4abf66edeffbf5bb460": 4,
    "2a1583aab105298bcc4631d98dc8db4747ff056e2c164cace4264cfa42b04238": 5,
}
"""Digests of the published arrays, as `cxrnet.export.keras.digest` makes them."""

NEEDED = "the .h5 files (weights or whole models) of Module 1 and the six folds, and the standardisation .json"


@dataclass
class PublishedWeights:
    """What was found: `segmenters` by convention (v7, jms), `folds` by number, `standardisation`."""

    segmenters: dict[str, Layers] = field(default_factory=dict)
    folds: dict[int, Layers] = field(default_factory=dict)
    standardisation: Standardisation | None = None

    def missing(self) -> list[str]:
        """Return, in words, what an ensemble still lacks beside a segmenter."""
        lacking = [f"Module 2 fold {number}" for number in sorted(FOLDS.values()) if number not in self.folds]
        return lacking + (["the standardisation (mean and std)"] if self.standardisation is None else [])


def import_published(sources: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[Bundle]:
    """Turn published Keras weights into bundles in `out`: one for each Module 1 among the sources.

    Args:
        sources: Files, or folders whose .h5 and .json files are taken.
        out: Folder that gets `published-v7` and `published-jms`.
        overwrite: Whether bundles that stand there are replaced.

    Raises:
        WeightsError: A file is not one of those published, or something is missing.
        BundleError: A bundle exists and `overwrite` is not set.
    """
    weights = collect(weight_files(sources))
    missing = weights.missing() + ([] if weights.segmenters else ["Module 1 (V7 or JMS)"])
    if missing:
        raise WeightsError(f"{', '.join(map(str, sources))}: lacks {', '.join(missing)}; needed are {NEEDED}")
    return [
        build_bundle(
            published_network(weights, name),
            out / f"published-{name}",
            card=CARD.format(**CONVENTIONS[name]),
            overwrite=overwrite,
        )
        for name in sorted(weights.segmenters)
    ]


def weight_files(sources: Iterable[Path]) -> list[Path]:
    """Return the files that the sources name, folders replaced by the .h5 and .json files in them.

    Raises:
        WeightsError: A source does not exist.
    """
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            files += sorted(path for path in source.iterdir() if path.suffix in {".h5", ".hdf5", ".json"})
        elif source.is_file():
            files.append(source)
        else:
            raise WeightsError(f"{source}: no such file or folder; give {NEEDED}")
    return files


def collect(files: Iterable[Path]) -> PublishedWeights:
    """Return what the files hold.

    Raises:
        WeightsError: A file is none of those published.
    """
    weights = PublishedWeights()
    for path in files:
        if path.suffix == ".json":
            weights.standardisation = read_standardisation(path)
            continue
        layers = read_layers(path)
        key = digest(layers)
        if key in SEGMENTERS:
            weights.segmenters[SEGMENTERS[key]] = layers
        elif key in FOLDS:
            weights.folds[FOLDS[key]] = layers
        else:
            raise WeightsError(
                f"{path.name}: {_guess(layers)}; leave it out, or load it with "
                "cxrnet.export.keras and write it with cxrnet.export.bundle if it is a network of your own"
            )
    return weights


def read_standardisation(path: Path) -> Standardisation:
    """Return mean and standard deviation from the JSON file of the published weights.

    Raises:
        WeightsError: The file is not JSON with `mean` and `std`.
    """
    try:
        content = json.loads(path.read_bytes())
        return Standardisation(mean=float(content["mean"]), std=float(content["std"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path.name}: holds no mean and std; give the standardisation file of the published weights"
        raise WeightsError(msg) from error


def _guess(layers: Layers) -> str:
    if "multi_head_attention" in layers:
        return "has the layers of a Module 2 fold, but not the published weights"
    if "conv2d_6" in layers and "separable_conv2d_35" in layers:
        return "has the layers of Module 1, but not the published weights"
    return f"{len(layers)} Keras layers of another network"


def published_network(weights: PublishedWeights, name: str) -> Network:
    """Return the ensemble behind the Module 1 of this name (v7 or jms), in evaluation mode.

    `weights` lack nothing (see `PublishedWeights.missing`).
    """
    with_heart = name == "v7"
    network = Network(
        BundleConfig(
            name=f"published-{name}",
            version="1.0",
            description=f"Published weights, lungs {'with' if with_heart else 'without'} the heart shadow",
            lungs_include_heart=with_heart,
            preparation=PUBLISHED_PREPARATION,
            segmenter=SegmenterConfig(),
            lung_mask=PUBLISHED_LUNG_MASK,
            classifier=ClassifierConfig(),
            folds=len(FOLDS),
            standardisation=weights.standardisation,
        )
    )
    load_segmenter(network.segmenter, weights.segmenters[name])
    for number, fold in enumerate(network.ensemble.folds):
        load_fold(fold, weights.folds[number])  # type: ignore[arg-type]
    return network.eval()


CONVENTIONS = {
    "v7": {
        "name": "published-v7",
        "data": "6,191 films of the V7-Darwin set, masks by human annotators",
        "convention": "run behind the heart to the spine",
        "note": "This is the lung model that the paper's classifier was trained with.",
    },
    "jms": {
        "name": "published-jms",
        "data": "904 films of the JSRT, Montgomery and Shenzhen sets, manual masks",
        "convention": "leave the heart and the large vessels out",
        "note": "The classifier was trained on masks of the other convention (published-v7); scores shift.",
    },
}

CARD = """# {name}

Weights published with
*CXR-Net: An Artificial Intelligence Pipeline for Quick Covid-19 Screening of Chest X-Rays*
(Abdulah, Huber, Lal, Abdallah, Palese, Soltanian-Zadeh, Gatti), imported unchanged from the Keras files of
GitHub dgattiwsu/CXR-Net (Apache-2.0). **For research only. Not a medical device; not for diagnosis.**

| | |
|---|---|
| Module 1 | 59,941 parameters, trained by its authors on {data} |
| Lung masks | {convention} |
| Module 2 | six folds of 20,467 parameters, trained on 2,265 Henry Ford Health System films (848 Covid) |
| Scores | `covid`, `non-covid`: a softmax, not calibrated |
| Reported by the authors | accuracy 0.789, ROC AUC 0.852 on 1,532 further films of the same hospitals |

{note}

## Known limits

- All non-Covid films of its training date from 2018-2019, all Covid films from 2020: era, machine and ward
  can stand in for the disease.
- The folds of its cross-validation shared patients.
- It saw antero-posterior films of adults of one health system. Children, lateral views and other body parts
  were never shown to it; it gives them scores all the same.
- With gas-filled bowel in the picture Module 1 can mark abdomen as lung.
- Films were shrunk without antialiasing, and the lung mask leaves out very dark (below 6) and very bright
  (above 225) pixels: this bundle keeps both, as its weights were trained that way.
"""
