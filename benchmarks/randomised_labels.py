r"""Whether heat maps depend on what the labels say: a fold trained on shuffled labels next to the fold as trained.

    cxrnet train classifier --manifest xrays.csv --lungs lungs --config settings.yaml \
        --pack images.h5 --features features --out run
    python -m benchmarks.randomised_labels run --pack images.h5 --features features --out shuffled [--limit 200]

The second test of Adebayo et al. 2018, "Sanity checks for saliency maps": a heat map that stays the same when the
labels are random shows the image, not what was learned. Trains fold 0 of RUN again, with the same images, changed
copies, draws and schedule, on labels that are shuffled among its training images. Both networks draw heat maps of
images that neither was trained on. Next to them stands another fold of RUN, trained on right labels and in part on
other images: how far heat maps differ without any shuffling. Writes result.json and prints a line for each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.convolutional_stem import Data, read_run, run_parser
from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.data.folds import group_ids
from cxrnet.evaluation.audit.stability import correlation
from cxrnet.evaluation.bootstrap import estimate, mean_statistic
from cxrnet.model.registry import open_bundle
from cxrnet.nn.classifier import Fold
from cxrnet.screening.heatmap import contrast
from cxrnet.training.classification import FoldModule
from cxrnet.training.classifier_run import fit_fold
from cxrnet.training.features import Features, open_features
from cxrnet.training.fit import use_machine
from cxrnet.training.preflight import RunOptions
from cxrnet.training.run import LAST, OUT_OF_FOLD, is_finished, load_weights
from cxrnet.training.sampling import fold_draws

NUMBER = 0
"""The fold that is trained again."""


def shuffled(labels: Int64, train: Int64, *, seed: int) -> Int64:
    """Return the labels, int64 [image], with those of the training images in another order."""
    found = labels.copy()
    found[train] = np.random.default_rng(seed).permutation(labels[train])
    return found


def train_shuffled(data: Data, features: Features, out: Path) -> None:
    """Train the fold on shuffled labels; which images are drawn how often stays that of the right labels."""
    if is_finished(out, LAST, OUT_OF_FOLD):
        return
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(data.config.seed)
    train, validation = np.flatnonzero(data.folds != NUMBER), np.flatnonzero(data.folds == NUMBER)
    draws = fold_draws(data.config, data.samples, data.labels, train)
    labels = shuffled(data.labels, train, seed=data.config.seed)
    module = FoldModule(data.config, features, labels, train, validation, draws=draws)
    fit_fold(module, out, [data.samples[int(index)] for index in validation], RunOptions())


def heat_map(network: Fold, features: Features, index: int) -> Float32:
    """Return the heat map of the first class, float32 [rows, columns], NaN outside the lungs."""
    given = features.at(0, index)[None]
    with torch.inference_mode():
        output = network(given[:, :-2], given[:, -2], image=given[:, -1])
    heat = contrast(output.maps[0].numpy(), output.logits[0].numpy())[0]
    lungs = given[0, -2].numpy() > network.config.pooling.mask_threshold
    return np.where(lungs, heat, np.float32(np.nan))


def compare(networks: dict[str, Fold], features: Features, images: Int64) -> dict[str, Float64]:
    """Return, for each network but the first, the correlation of its heat maps with the first's, float64 [image]."""
    maps = {name: [heat_map(network, features, int(index)) for index in images] for name, network in networks.items()}
    first, *others = maps
    return {
        name: np.array([correlation(one, two) for one, two in zip(maps[first], maps[name], strict=True)])
        for name in others
    }


def read_fold(data: Data, folder: Path) -> Fold:
    """Return the trained network of a fold's folder."""
    network = Fold(data.config.classifier)
    load_weights(network, folder, LAST)
    return network.eval()


def summarise(found: Float64, groups: Sequence[str]) -> dict[str, Any]:
    """Return the mean correlation with its 95 % interval over groups, and the share above 0.5."""
    mean = estimate(mean_statistic({"mean": found}), groups)["mean"]
    share = float((found > 0.5).mean())
    return {"mean": mean.value, "low": mean.low, "high": mean.high, "above_0.5": share, "n": mean.n}


def main() -> None:
    """Train, draw heat maps and print."""
    parser = run_parser(__doc__)
    parser.add_argument("--limit", type=int, default=200, help="images whose heat maps are compared")
    arguments = parser.parse_args()
    use_machine(arguments.threads)
    data = read_run(arguments.run, arguments.pack, arguments.features, open_bundle(arguments.lungs))
    features = open_features(arguments.features, data.source)
    train_shuffled(data, features, arguments.out)
    held_out = np.flatnonzero(data.folds == NUMBER)
    images = np.sort(np.random.default_rng(0).permutation(held_out)[: arguments.limit])
    networks = {
        "as trained": read_fold(data, arguments.run / f"fold{NUMBER}"),
        "shuffled labels": read_fold(data, arguments.out),
        "another fold": read_fold(data, arguments.run / f"fold{NUMBER + 1}"),
    }
    groups = group_ids([data.samples[int(index)] for index in images])
    results = {}
    for name, found in compare(networks, features, images).items():
        results[name] = one = summarise(found, [str(group) for group in groups])
        print(f"{name}: correlation {one['mean']:.2f} [{one['low']:.2f}, {one['high']:.2f}], {one['n']} images")
    (arguments.out / "result.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
