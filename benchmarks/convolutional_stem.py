r"""What the wavelets of Module 2 bring: the same network on a learned stem of plain convolutions in their place.

    cxrnet train classifier --manifest xrays.csv --lungs lungs --config settings.yaml \
        --pack images.h5 --features features --out run
    python benchmarks/convolutional_stem.py run --pack images.h5 --features features --out stem [--limit 60]

Trains the folds of RUN again, with the same images, folds, changed copies, draws and schedule. Each fold has a stem of
two strided convolutions of its own (7 x 7 and 5 x 5, 30,000 weights), which gives as many channels at the same
positions as the scattering transform, the first of them the averaged image; no logarithm is taken of what they give.
Then both are asked for the same images by the fold that has not seen them, as they are and under the reference changes
of `cxrnet evaluate audit`. Writes out_of_fold.csv of each fold and result.json, and prints a line for each network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import Sample, read_manifest
from cxrnet.evaluation.audit.audit import draw_evenly
from cxrnet.evaluation.audit.changes import SETS
from cxrnet.evaluation.audit.reading import Reading, predicted_class
from cxrnet.evaluation.audit.stability import Trial, stability_record, try_changes
from cxrnet.evaluation.bootstrap import estimate
from cxrnet.evaluation.metrics import binary_statistic
from cxrnet.imaging.decoder_pool import DecoderPool
from cxrnet.imaging.preprocess import prepare
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.config import ClassifierConfig, Standardisation
from cxrnet.model.registry import open_bundle
from cxrnet.model.runtime import Runtime
from cxrnet.nn.classifier import Fold
from cxrnet.nn.network import classifier_input, lung_mask, scattered_size
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.classification import FoldModule
from cxrnet.training.classifier_run import FOLDS, STANDARDISATION, fit_fold
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.dataset import ImageSet
from cxrnet.training.features import FeatureSource, fast_scattering, open_features, open_lungs
from cxrnet.training.fit import use_machine
from cxrnet.training.out_of_fold import read_out_of_fold
from cxrnet.training.preflight import RunOptions, read_data
from cxrnet.training.run import LAST, OUT_OF_FOLD, is_finished, load_weights, read_record
from cxrnet.training.sampling import fold_draws

FILTERS = 24


def planes_of(image: Tensor, size: int) -> Tensor:
    """Return float [batch, size^2, rows, columns] of an image float [batch, height, width]: its pixels, regrouped."""
    return functional.pixel_unshuffle(image.unsqueeze(1), size)


class ImagePlanes(FeatureSource):
    """The standardised images themselves in place of their scattering coefficients."""

    @property
    def channels(self) -> int:
        """Pixels that fall on one position of the features."""
        return int(4**self.config.classifier.scattering.J)

    def digest(self) -> str:
        """Return what tells these features from those of the scattering transform."""
        return f"planes {super().digest()}"

    def transform(self) -> Callable[[Tensor], Tensor]:
        """Return the function that regroups the pixels of images."""
        return lambda image: planes_of(image, 2**self.config.classifier.scattering.J)


class StemFold(nn.Module):
    """A fold of Module 2 behind a learned stem: what `Fold` takes, but `planes_of` an image for the coefficients."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.size = 2**config.scattering.J
        channels = config.scattering.channels - 1
        self.stem = nn.Sequential(
            nn.Conv2d(1, FILTERS, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(FILTERS),
            nn.LeakyReLU(0.3),
            nn.Conv2d(FILTERS, channels, 5, stride=self.size // 2, padding=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.3),
        )
        self.fold = Fold(config)

    def forward(
        self, planes: Tensor, mask: Tensor, *, image: Tensor | None = None, patient: Tensor | None = None
    ) -> Any:
        """Return what `Fold.forward` does."""
        pixels = functional.pixel_shuffle(planes, self.size)
        features = torch.cat([functional.avg_pool2d(pixels, self.size), self.stem(pixels)], dim=1)
        return self.fold(features, mask, image=image, patient=patient)


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Images, labels and folds of a run."""

    run: Path
    config: ClassifierTraining
    samples: Sequence[Sample]
    labels: Any
    folds: Any
    source: FeatureSource


def run_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a program that trains folds of a finished run again: the arguments of `read_run`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run of cxrnet train classifier, finished")
    parser.add_argument("--pack", type=Path, required=True, help="HDF5 file that the run read")
    parser.add_argument("--features", type=Path, required=True, help="folder for lung masks and features")
    parser.add_argument("--lungs", default="lungs", help="bundle that finds the lungs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def read_run(run: Path, pack: Path, features: Path, segmenter: Any) -> Data:
    """Return what a finished classifier run was trained on."""
    config = ClassifierTraining.model_validate_json(json.dumps(read_record(run)["settings"]))
    samples = read_manifest(run / FOLDS).samples
    read = read_data(samples, run, config.preparation, RunOptions(resume=True, pack=pack), with_masks=False)
    images = ImageSet.of(read.pack, config.preparation)
    return Data(
        run=run,
        config=config,
        samples=samples,
        labels=np.array([config.classifier.classes.index(str(sample.label)) for sample in samples], np.int64),
        folds=np.array([int(sample.values["fold"]) for sample in samples], np.int64),
        source=FeatureSource(
            images=images.images,
            lungs=open_lungs(features, segmenter, images.prepared),
            normalisation=Standardisation.model_validate_json((run / STANDARDISATION).read_bytes()),
            config=config,
        ),
    )


def train_stems(data: Data, features: Path, out: Path) -> None:
    """Train each fold of the run with a stem of convolutions, as `cxrnet train classifier` trains it without."""
    classifier = data.config.classifier.model_copy(update={"logarithm": False})
    config = data.config.model_copy(update={"classifier": classifier})
    planes = ImagePlanes(
        **{name: getattr(data.source, name) for name in ("images", "lungs", "normalisation", "config")}
    )
    maps = open_features(features, planes)
    for number in range(config.folds):
        folder = out / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        if is_finished(folder, LAST, OUT_OF_FOLD):
            continue
        torch.manual_seed(config.seed)
        train, validation = np.flatnonzero(data.folds != number), np.flatnonzero(data.folds == number)
        draws = fold_draws(config, data.samples, data.labels, train)
        module = FoldModule(config, maps, data.labels, train, validation, draws=draws)
        module.network = StemFold(classifier)
        fit_fold(module, folder, [data.samples[int(index)] for index in validation], RunOptions())


class FoldReader:
    """Reads radiographs by one fold at a time, its scores calibrated over all folds."""

    def __init__(self, data: Data, run: Path, segmenter: Any, *, has_stem: bool) -> None:
        self.config, self.grey, self.data = data.config, data.source.normalisation, data
        self.runtime = Runtime(segmenter, threads=1)
        self.folds = []
        for number in range(data.config.folds):
            network: nn.Module
            if has_stem:
                network = StemFold(data.config.classifier.model_copy(update={"logarithm": False}))
            else:
                network = Fold(data.config.classifier)
            load_weights(network, run / f"fold{number}", LAST)
            self.folds.append(network.eval())
        size = 2**data.config.classifier.scattering.J
        shape = scattered_size(data.config.classifier, *data.source.images.shape[1:])
        scattering = fast_scattering(data.config.classifier.scattering, *shape)
        self.features = (lambda image: planes_of(image, size)) if has_stem else scattering
        rows = [
            read_out_of_fold(run / f"fold{n}" / OUT_OF_FOLD, data.config.classifier.classes)
            for n in range(data.config.folds)
        ]
        self.order = np.concatenate([np.flatnonzero(data.folds == number) for number in range(data.config.folds)])
        self.logits = np.concatenate([one.logits for one in rows])
        self.labels = np.concatenate([one.labels for one in rows])
        self.calibration = fit_calibration(self.logits, self.labels)

    def __call__(self, radiograph: Radiograph, fold: int | None = None) -> Reading:
        """Return scores and class of a radiograph by one fold."""
        assert fold is not None
        config = self.config.classifier
        prepared = prepare(radiograph.pixels, **self.config.preparation.model_dump())
        image = torch.from_numpy(prepared).float()[None]
        probability = torch.from_numpy(self.runtime.lung_probability(prepared))[None]
        mask = lung_mask(probability, image, self.config.lung_mask)
        with torch.inference_mode():
            sides = [classifier_input(image, mask, config, self.grey)]
            if config.mirror_average:
                sides.append(classifier_input(image.flip(-1), mask.flip(-1), config, self.grey))
            logits = [
                self.folds[fold](self.features(side.image.contiguous()), side.lungs, image=side.greys).logits
                for side in sides
            ]
        scores = self.calibration.probabilities(torch.stack(logits).mean(dim=0)[0].numpy()).astype(np.float64)
        return Reading(scores=scores, answer=predicted_class(scores, self.calibration.operating_points.get("balanced")))


def figures(reader: FoldReader, chosen: Sequence[tuple[Sample, int]], mixed: str) -> dict[str, Any]:
    """Return AUCs out of fold, and what the reference changes do to the chosen images."""
    samples = [reader.data.samples[int(index)] for index in reader.order]
    groups = np.array(group_ids(samples))
    scores = reader.calibration.probabilities(reader.logits).astype(np.float64)[:, 0]
    point = reader.calibration.operating_points["balanced"]
    found: dict[str, Any] = {}
    for name, kept in (("all", np.ones(len(samples), bool)), (mixed, np.array([s.source == mixed for s in samples]))):
        statistic = binary_statistic(reader.labels[kept] == 0, scores[kept], scores[kept] >= point)
        auc = estimate(statistic, [str(group) for group in groups[kept]])["roc_auc"]
        found[f"auc {name}"] = {"value": auc.value, "low": auc.low, "high": auc.high, "n": auc.n}
    trials: list[Trial] = []
    with closing(DecoderPool()) as decoders:
        for sample, fold in chosen:
            radiograph = decoders.read(sample.image)
            trials.append(try_changes(radiograph, reader, SETS["reference"], group=sample.group, fold=fold))
    record = stability_record(trials, SETS["reference"], resamples=1000, seed=0)
    found["changes"] = record.model_dump(mode="json")
    return found


def main() -> None:
    """Train, ask and print."""
    parser = run_parser(__doc__)
    parser.add_argument("--mixed", default="ieee8023", help="source with images of both classes")
    parser.add_argument("--limit", type=int, default=60, help="images that are changed")
    arguments = parser.parse_args()
    use_machine(arguments.threads)
    segmenter = open_bundle(arguments.lungs)
    data = read_run(arguments.run, arguments.pack, arguments.features, segmenter)
    train_stems(data, arguments.features, arguments.out)
    chosen = choose(data, arguments.limit)
    results = {}
    for name, run in (("scattering", arguments.run), ("convolutions", arguments.out)):
        reader = FoldReader(data, run, segmenter, has_stem=name == "convolutions")
        results[name] = figures(reader, chosen, arguments.mixed)
        weights = sum(parameter.numel() for parameter in reader.folds[0].parameters())
        mean = results[name]["changes"]["means"]["reference"]
        aucs = ", ".join(f"{key} {value['value']:.3f}" for key, value in results[name].items() if key != "changes")
        moves = f"class changes {mean['class_changes']['value']:.1%}, move {mean['score_move']['value']:.3f}"
        print(f"{name}: {weights} weights a fold, {aucs}, {moves}", flush=True)
    (arguments.out / "result.json").write_text(json.dumps(results, indent=1))


def choose(data: Data, limit: int) -> list[tuple[Sample, int]]:
    """Return images of the split `val` drawn evenly from sources and classes, each with the fold that left it out."""
    held = [sample for sample in data.samples if sample.values.get("split") == "val"]
    return [(sample, int(sample.values["fold"])) for sample in draw_evenly(held, limit, seed=0)]


if __name__ == "__main__":
    main()
