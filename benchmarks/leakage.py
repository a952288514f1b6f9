"""What folds that share patients, or hospitals, promise too much: the same small models under three kinds of folds.

    python -m benchmarks.leakage --manifest xrays.csv [--where label4=normal,covid] [--folds 6 --seeds 5] [--json FILE]

Each image is reduced to the means of its scattering coefficients: over the whole map (49 numbers), and over 5 x 5 parts
of it (1225 numbers). Five nearest neighbours and a logistic regression classify them out of fold, with

    image    folds assigned image by image, as the published cross-validation of CXR-Net was
    group    folds of `cxrnet data split`: radiographs of a group or patient stay together
    source   each source left out in turn

and once more with classes that are assigned to the groups at random: there is nothing to learn in these but who is who.
Printed are ROC AUCs (the first class by name is the positive one) with 95 % intervals from a bootstrap over groups.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxrnet.arrays import Float64
from cxrnet.bench.record import BenchmarkRecord, Row
from cxrnet.data.check import require_sound
from cxrnet.data.folds import assign_folds, group_ids
from cxrnet.data.manifest import Sample, parse_where, read_manifest
from cxrnet.data.pack import build_pack
from cxrnet.evaluation.bootstrap import Estimate, estimate
from cxrnet.evaluation.metrics import binary_statistic
from cxrnet.model.config import PreparationConfig
from cxrnet.nn.scattering import Scattering
from cxrnet.training.dataset import ImageSet as PreparedImages

Indices = NDArray[np.int64]

PARTS = 5
KINDS = ("image", "group", "source")
CLASSES = ("as they are", "permuted")
MODELS = {
    "5 neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(5)),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Radiographs as numbers.

    Attributes:
        features: Name -> float32 [radiograph, number].
        truth: bool [radiograph], whether the radiograph is of the first class.
        groups: int64 [radiograph], what stays together.
        sources: Of each radiograph.
        samples: Rows of the manifest.
    """

    features: Mapping[str, NDArray[np.float32]]
    truth: NDArray[np.bool_]
    groups: Indices
    sources: NDArray[np.str_]
    samples: Sequence[Sample]


def read(manifest: Path, where: Sequence[str]) -> ImageSet:
    """Return the radiographs of a manifest; their scattering takes a minute a thousand on one core."""
    samples = read_manifest(manifest, where=parse_where(list(where))).samples
    preparation = PreparationConfig()
    pack = build_pack(samples, preparation, with_masks=False)
    require_sound(pack.problems, allow_leaks=False)
    images = PreparedImages.of(pack, preparation).prepared
    mean, std = float(images.mean()), float(images.std())
    scattering, parts = Scattering(), []
    with torch.inference_mode():
        for start in range(0, len(images), 8):
            batch = torch.from_numpy(images[start : start + 8]).float()
            maps = scattering((batch - mean) / std)
            parts.append(torch.nn.functional.adaptive_avg_pool2d(maps, PARTS).numpy())
    means = np.concatenate(parts)
    features = {"whole map": means.mean(axis=(2, 3)), f"{PARTS} x {PARTS} parts": means.reshape(len(means), -1)}
    names = sorted({str(sample.label) for sample in samples})
    if len(names) != 2:
        raise SystemExit(f"{manifest.name}: classes are {', '.join(names)}; two are needed, choose them with --where")
    return ImageSet(
        features=features,
        truth=np.array([sample.label == names[0] for sample in samples]),
        groups=group_ids(samples),
        sources=np.array([sample.source for sample in samples]),
        samples=samples,
    )


def folds_of(kind: str, xrays: ImageSet, *, folds: int, seed: int) -> Indices:
    """Return the fold of each radiograph, int64 [radiograph]."""
    if kind == "source":
        return np.unique(xrays.sources, return_inverse=True)[1].astype(np.int64)
    if kind == "group":
        return assign_folds(xrays.samples, folds=folds, seed=seed)
    numbers = np.empty(len(xrays.truth), np.int64)
    for fold, (_, held_out) in enumerate(KFold(folds, shuffle=True, random_state=seed).split(numbers)):
        numbers[held_out] = fold
    return numbers


def out_of_fold(model: str, values: NDArray[np.float32], truth: NDArray[np.bool_], folds: Indices) -> Float64:
    """Return the score of each radiograph by a model that was fitted without its fold, float64 [radiograph]."""
    scores = np.empty(len(truth))
    for fold in np.unique(folds):
        is_out = folds == fold
        fitted = MODELS[model]().fit(values[~is_out], truth[~is_out])
        scores[is_out] = fitted.predict_proba(values[is_out])[:, list(fitted.classes_).index(True)]
    return scores


def by_lot(xrays: ImageSet, *, seed: int) -> NDArray[np.bool_]:
    """Return classes assigned to whole groups, bool [radiograph]; as many groups are of the first class as not."""
    groups = int(xrays.groups.max()) + 1
    return (np.random.default_rng(seed).permutation(groups) % 2 == 0)[xrays.groups]


def shared(groups: Indices, folds: Indices) -> float:
    """Return the share of images with an image of their group in another fold: one that they are validated against."""
    homes = [set(folds[groups == group]) for group in range(int(groups.max()) + 1)]
    return float(np.mean([len(homes[group]) > 1 for group in groups]))


def areas(runs: Mapping[str, Sequence[tuple[NDArray[np.bool_], Float64]]], chosen: NDArray[np.bool_], groups: Indices,
          *, resamples: int) -> dict[str, Estimate]:  # fmt: skip
    """Return, on the chosen images, the AUC of each kind of folds, the mean of its repeats, and `image - group`."""
    parts = {
        kind: [binary_statistic(truth[chosen], scores[chosen], scores[chosen] > 0.5) for truth, scores in repeats]
        for kind, repeats in runs.items()
    }

    def statistic(weights: Float64) -> dict[str, Float64]:
        found = {kind: np.mean([one(weights)["roc_auc"] for one in each], axis=0) for kind, each in parts.items()}
        return found | {"image - group": found["image"] - found["group"]}

    return estimate(statistic, [str(group) for group in groups[chosen]], resamples=resamples)


def rows(xrays: ImageSet, *, folds: int, seeds: int, resamples: int) -> Iterator[Row]:
    """Yield the rows of the tables, `as they are` and `permuted`."""
    both = [source for source in np.unique(xrays.sources) if len(np.unique(xrays.truth[xrays.sources == source])) == 2]
    several = np.bincount(xrays.groups)[xrays.groups] > 1
    every = np.ones(len(several), bool)
    chosen = {
        "as they are": {"all": every} | {f"of {source}": xrays.sources == source for source in both},
        "permuted": {"all": every, "of groups with several images": several},
    }
    for classes in CLASSES:
        for feature, values in xrays.features.items():
            for model in MODELS:
                runs: dict[str, list[tuple[NDArray[np.bool_], Float64]]] = {kind: [] for kind in KINDS}
                for kind in KINDS:
                    for seed in range(seeds if kind != "source" or classes == "permuted" else 1):
                        truth = xrays.truth if classes == "as they are" else by_lot(xrays, seed=seed)
                        numbers = folds_of(kind, xrays, folds=folds, seed=seed)
                        runs[kind].append((truth, out_of_fold(model, values, truth, numbers)))
                for which, inside in chosen[classes].items():
                    found = areas(runs, inside, xrays.groups, resamples=resamples)
                    row: Row = {"part": classes, "features": feature, "model": model, "images": which}
                    yield row | {"n": int(inside.sum())} | cells(found)


def cells(found: Mapping[str, Estimate]) -> Row:
    """Return each value with its interval, to six digits, as NAME, NAME_low and NAME_high."""
    ends = {
        f"{name}{end}": value
        for name, one in found.items()
        for end, value in (("", one.value), ("_low", one.low), ("_high", one.high))
    }
    return {name: None if value is None else round(float(value), 6) for name, value in ends.items()}


def images_and_groups(xrays: ImageSet, *, folds: int, seeds: int) -> Iterator[Row]:
    """Yield how many images there are, and for each kind of folds the least and greatest share with a leak."""
    groups, sources = (len(np.unique(values)) for values in (xrays.groups, xrays.sources))
    counts: Row = {"n": len(xrays.truth), "groups": groups, "first_class": int(xrays.truth.sum()), "sources": sources}
    yield {"part": "images"} | counts
    for kind in KINDS:
        numbers = [folds_of(kind, xrays, folds=folds, seed=seed) for seed in range(seeds)]
        shares = [shared(xrays.groups, each) for each in numbers]
        yield {"part": "shared", "kind": kind, "low": round(min(shares), 6), "high": round(max(shares), 6)}


def main() -> None:
    """Print how many images share a group across folds, and the AUCs, one row per line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE")
    for name, value in (("folds", 6), ("seeds", 5), ("resamples", 1000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    numbers = {name: getattr(options, name) for name in ("folds", "seeds", "resamples")}
    xrays = read(options.manifest, options.where)
    record = []
    for row in chain(images_and_groups(xrays, folds=options.folds, seeds=options.seeds), rows(xrays, **numbers)):
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        record.append(row)
    if options.json:
        command = " ".join(["python -m benchmarks.leakage", *(f"--{name} {value}" for name, value in numbers.items())])
        BenchmarkRecord(command=command, rows=tuple(record)).write(options.json)


if __name__ == "__main__":
    main()
