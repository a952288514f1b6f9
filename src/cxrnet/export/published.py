"""The published CXR-Net weights as bundles: `published-v7` and `published-jms`.

A file is identified by its arrays, not by its name: both the weights-only and the whole-model files of the original
repository (GitHub dgattiwsu/CXR-Net, Apache-2.0) are accepted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

PUBLISHED = {
    "5bef53e52751c712318e7da7453a15cf4ca199d70f9a144949b03670b0554923": "v7",
    "1f155a4143199a0d99eebec1cbc8f0d6d07dea82526ae98821afda2f184514d7": "jms",
    "bfa74efbcd094c42b8f5a23d5d881d2b721a719241bd0565fec95e7b01747254": "fold 0",
    "38d5ffc526f5a1cddabafba740e4115f8a96579ab54ddeaf040f97e670e706e5": "fold 1",
    "90c9fb1f6c90787375ca9da4163f8aaf95d0745eae6746f753306cc41cc0fafe": "fold 2",
    "8872cf1432c5b913ac5d8f45bb0df54765507bd7ca4353ebb71028b3ce5d36f7": "fold 3",
    "2a03b168e09efff88dc9590c7366a9e807ccebe2825ab4abf66edeffbf5bb460": "fold 4",
    "2a1583aab105298bcc4631d98dc8db4747ff056e2c164cace4264cfa42b04238": "fold 5",
}
"""Digest of the published arrays, from `cxrnet.export.keras.digest` -> Module 1 by convention, or fold of Module 2."""

FOLDS = tuple(f"fold {number}" for number in range(6))
NEEDED = "the .h5 files (weights or whole models) of Module 1 and the six folds, and the standardisation .json"

CONVENTIONS = {
    "v7": {
        "name": "published-v7",
        "data": "6,191 images of the V7-Darwin set, masks by human annotators",
        "convention": "run behind the heart to the spine",
        "note": "This is the lung model that the paper's classifier was trained with.",
    },
    "jms": {
        "name": "published-jms",
        "data": "904 images of the JSRT, Montgomery and Shenzhen sets, manual masks",
        "convention": "leave the heart and the large vessels out",
        "note": "The classifier was trained on masks of the other convention (published-v7); scores shift.",
    },
}
"""Module 1 -> the words of its card, `published.md`."""


def import_published(sources: Sequence[Path], out: Path, *, overwrite: bool = False) -> list[Bundle]:
    """Turn published Keras weights into bundles in `out`: one for each Module 1 among the sources.

    Sources are files, or folders whose .h5 and .json files are taken.
    """
    card = Path(__file__).with_name("published.md").read_text(encoding="utf-8")
    return [
        build_bundle(network, out / f"published-{name}", card=card.format(**CONVENTIONS[name]), overwrite=overwrite)
        for name, network in read_published(sources).items()
    ]


def read_published(sources: Sequence[Path]) -> dict[str, Network]:
    """Return the ensemble behind each Module 1 among the sources, `v7` or `jms`, in evaluation mode."""
    weights: dict[str, Layers] = {}
    standardisation = None
    for path in _files(sources):
        if path.suffix == ".json":
            standardisation = read_standardisation(path)
            continue
        layers = read_layers(path)
        name = PUBLISHED.get(digest(layers))
        if name is None:
            msg = f"{path.name}: its {len(layers)} layers are not those of a published file; give {NEEDED}"
            raise WeightsError(msg)
        weights[name] = layers
    segmenters = [name for name in CONVENTIONS if name in weights]
    missing = [f"Module 2 {fold}" for fold in FOLDS if fold not in weights]
    missing += [] if segmenters else ["Module 1 (V7 or JMS)"]
    if missing or standardisation is None:
        missing += ["the standardisation (mean and std)"] if standardisation is None else []
        raise WeightsError(f"{', '.join(map(str, sources))}: lacks {', '.join(missing)}; give {NEEDED}")
    return {name: _network(weights, name, standardisation) for name in segmenters}


def read_standardisation(path: Path) -> Standardisation:
    """Return mean and standard deviation from the JSON file of the published weights."""
    try:
        content = json.loads(path.read_bytes())
        return Standardisation(mean=float(content["mean"]), std=float(content["std"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path.name}: holds no mean and std; give the standardisation file of the published weights"
        raise WeightsError(msg) from error


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from sorted(path for path in source.iterdir() if path.suffix in {".h5", ".hdf5", ".json"})
        elif source.is_file():
            yield source
        else:
            raise WeightsError(f"{source}: no such file or folder; give {NEEDED}")


def _network(weights: Mapping[str, Layers], name: str, standardisation: Standardisation) -> Network:
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
            standardisation=standardisation,
        )
    )
    load_segmenter(network.segmenter, weights[name])
    for fold, layers in zip(network.ensemble.folds, FOLDS, strict=True):
        load_fold(fold, weights[layers])  # type: ignore[arg-type]
    return network.eval()
