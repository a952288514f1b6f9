"""Shortcuts: what a model still scores with the lungs taken away, and how well it can tell where an image comes from.

A model that reads disease from the lungs falls to an AUC of 0.5 without them. The graph finds the lungs of each altered
image again, as it would those of any image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np

from cxrnet.arrays import Bool, Float32, Float64, Int64
from cxrnet.data.manifest import Sample
from cxrnet.evaluation.audit.reading import Reader
from cxrnet.evaluation.bootstrap import Estimate, Statistic, estimate, ratio
from cxrnet.evaluation.metrics import one_versus_rest
from cxrnet.imaging.radiograph import Radiograph

BORDER = 0.1
"""Width of the border that `border only` keeps, of each side."""

LUNGS_FROM = "lungs swapped, by the class of the lungs"
FRAME_OF = "lungs swapped, by the class of the frame"
UNTOUCHED = "untouched"


def keep_border(pixels: Float32, lungs: Bool) -> Float32:
    """Return the outer tenth of the image on every side, black within."""
    height, width = pixels.shape
    rows, columns = round(BORDER * height), round(BORDER * width)
    kept = pixels.copy()
    kept[rows : height - rows, columns : width - columns] = 0
    return kept


def crop_to_lungs(pixels: Float32, lungs: Bool) -> Float32:
    """Return the bounding box of the lungs."""
    return np.ascontiguousarray(pixels[lung_box(lungs)])


ALTERATIONS: Mapping[str, Callable[[Float32, Bool], Float32]] = {
    UNTOUCHED: lambda pixels, lungs: pixels,
    "lungs blacked out": lambda pixels, lungs: np.where(lungs, np.float32(0), pixels),
    "border only": keep_border,
    "lungs only": lambda pixels, lungs: np.where(lungs, pixels, np.float32(0)),
    "lung box only": crop_to_lungs,
}


def lung_box(lungs: Bool) -> tuple[slice, slice]:
    """Return rows and columns of the bounding box of a mask, all of them where it is empty."""
    if not lungs.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(lungs.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def lungs_of(radiograph: Radiograph, reader: Reader) -> Bool:
    """Return the lungs that a model finds, bool at the size of the radiograph; empty where it gives none."""
    lungs = reader(radiograph, None).lungs
    height, width = radiograph.pixels.shape
    if lungs is None:
        return np.zeros((height, width), np.bool_)
    return np.asarray(cv2.resize(lungs, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)


def swap_lungs(frame: Float32, frame_lungs: Bool, donor: Float32, donor_lungs: Bool) -> Float32:
    """Return `frame` with the lungs of `donor` in the place of its own; where the donor's leave a gap, its own stay."""
    place, origin = lung_box(frame_lungs), lung_box(donor_lungs)
    height, width = frame[place].shape
    lungs = cv2.resize(donor[origin], (width, height), interpolation=cv2.INTER_LINEAR)
    mask = cv2.resize(donor_lungs[origin].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    made = frame.copy()
    made[place] = np.where(mask, lungs, made[place])
    return made


def score_altered(
    radiograph: Radiograph, partner: Radiograph | None, reader: Reader, *, fold: int | None
) -> dict[str, Float64 | None]:
    """Return alteration -> scores, float64 [class]; None where an altered image cannot be scored.

    The lungs go into the frame of `partner`, an image of another class; without one they are not swapped.
    """
    lungs = lungs_of(radiograph, reader)
    altered = {name: change(radiograph.pixels, lungs) for name, change in ALTERATIONS.items()}
    if partner is not None:
        altered[LUNGS_FROM] = swap_lungs(partner.pixels, lungs_of(partner, reader), radiograph.pixels, lungs)
    found: dict[str, Float64 | None] = {}
    for name, pixels in altered.items():
        is_flat = pixels.min() == pixels.max()
        found[name] = None if is_flat else reader(replace(radiograph, pixels=pixels), fold).scores
    return found


def choose_partners(samples: Sequence[Sample], *, seed: int) -> list[int | None]:
    """Return for each sample the number of one of another class, drawn at random; None where no other class exists."""
    rng = np.random.default_rng(seed)
    partners: list[int | None] = []
    for sample in samples:
        unlike = [number for number, other in enumerate(samples) if other.label != sample.label]
        partners.append(int(rng.choice(unlike)) if unlike else None)
    return partners


def auc_statistic(labels: Int64, scores: Float64) -> Statistic:
    """Return the statistic `roc_auc`: of the first of two classes, else the mean over the classes that there are."""
    present = [0] if scores.shape[1] == 2 else sorted(set(labels.tolist()))
    each = [one_versus_rest(labels, scores, index) for index in present]
    return lambda weights: {"roc_auc": np.mean([one(weights)["roc_auc"] for one in each], axis=0)}


def estimate_auc(
    rows: Sequence[tuple[Sample, int, Float64 | None]], *, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return the AUC over all images (""), within each source that has several classes, and within pairs of sources.

    A pair is reported if each of its sources has images of one class only, and these classes differ: the source alone
    may explain such an AUC.
    """
    scored = [(sample, label, scores) for sample, label, scores in rows if scores is not None]
    classes: dict[str, set[int]] = {}
    for sample, label, _ in scored:
        classes.setdefault(sample.source, set()).add(label)
    parts: dict[str, set[str]] = {"": set(classes)}
    parts |= {source: {source} for source in sorted(classes) if len(classes[source]) > 1}
    for one, other in combinations(sorted(classes), 2):
        if len(classes[one]) == len(classes[other]) == 1 and classes[one] != classes[other]:
            parts[f"{one} / {other}"] = {one, other}
    found = {}
    for name, sources in parts.items():
        members = [row for row in scored if row[0].source in sources]
        labels = np.array([label for _, label, _ in members])
        if len(set(labels.tolist())) > 1:
            statistic = auc_statistic(labels, np.stack([scores for *_, scores in members]))
            groups = [sample.group for sample, *_ in members]
            found[name] = estimate(statistic, groups, resamples=resamples, seed=seed)["roc_auc"]
    return found


def identify_source(
    features: Float64, sources: Sequence[str], groups: Sequence[str], *, resamples: int, seed: int
) -> Estimate | None:
    """Return how well a logistic regression tells the source: its mean recall over the sources, cross-validated.

    `features` are float64 [image, feature]. Five folds never divide a group; 1 / (number of sources) is what guessing
    reaches. None with fewer than two sources, or one of fewer than five groups.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, truth = np.unique(np.asarray(sources), return_inverse=True)
    smallest = min(
        len({group for group, own in zip(groups, truth, strict=True) if own == one}) for one in range(len(names))
    )
    if len(names) < 2 or smallest < 5:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced"))
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=seed)
    is_right = (cross_val_predict(model, features, truth, groups=groups, cv=folds) == truth).astype(np.float64)
    members = np.eye(len(names))[truth]

    def statistic(weights: Float64) -> dict[str, Float64]:
        return {"recall": np.mean(ratio(weights @ (members * is_right[:, None]), weights @ members), axis=1)}

    return estimate(statistic, groups, resamples=resamples, seed=seed)["recall"]
