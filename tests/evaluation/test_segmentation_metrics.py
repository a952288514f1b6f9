import numpy as np
import pytest
from sklearn import metrics as oracle

from cxrnet.evaluation.segmentation_metrics import OVERLAPS, border_distances, border_points, overlap


def square(top, left, *, side=10, size=(40, 50)):
    mask = np.zeros(size, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def speckle(seed, size=(60, 50)):
    chance = np.random.default_rng(seed)
    mask = np.zeros(size, dtype=bool)
    for _ in range(4):
        top, left = chance.integers(0, 40, 2)
        mask[top : top + chance.integers(3, 20), left : left + chance.integers(3, 20)] = True
    return mask


def test_identical_masks_score_1_at_distance_0():
    mask = square(5, 5)
    assert overlap(mask, mask) == dict.fromkeys(OVERLAPS, 1)
    assert border_distances(mask, mask) == (0, 0)


def test_overlap_counted_by_hand():
    found = overlap(square(0, 0), square(0, 4))  # 60 in common, 40 too many, 40 missed, of 2,000
    assert found["dice"] == found["f1"] == found["precision"] == found["recall"] == 0.6
    assert found["jaccard"] == 60 / 140
    assert found["pixel_accuracy"] == 1 - 80 / 2000


def test_overlap_is_that_of_scikit_learn():
    found, truth = speckle(0), speckle(1)
    ours, flat = overlap(found, truth), (truth.ravel(), found.ravel())
    assert ours["dice"] == pytest.approx(oracle.f1_score(*flat))
    assert ours["jaccard"] == pytest.approx(oracle.jaccard_score(*flat))
    assert ours["precision"] == pytest.approx(oracle.precision_score(*flat))
    assert ours["recall"] == pytest.approx(oracle.recall_score(*flat))


def test_pixels_right_are_the_published_dice_which_pools_lungs_and_background():
    found, truth = speckle(0), speckle(1)
    both = [np.stack([mask, ~mask]) for mask in (found, truth)]
    assert overlap(found, truth)["pixel_accuracy"] == pytest.approx(overlap(*map(np.concatenate, both))["dice"])


@pytest.mark.shared
def test_pixels_right_are_the_recorded_dice_of_the_published_program(golden):
    image, recorded = golden("v7_val_1676231"), golden("unit_losses_real_v7_val_1676231")["other_metrics_0.5"]
    ours = overlap(image["module1_v7_prob"] > 0.5, image["lung_truth_uint8"] > 127)
    assert ours["pixel_accuracy"] == pytest.approx(recorded[0], abs=1e-6)
    assert ours["dice"] == pytest.approx(0.955, abs=5e-4)


def test_finding_nothing_scores_0_and_has_no_precision():
    found = overlap(np.zeros((4, 4), bool), np.ones((4, 4), bool))
    assert (found["dice"], found["recall"]) == (0, 0)
    assert np.isnan(found["precision"])


def test_two_empty_masks_have_no_dice():
    empty = np.zeros((4, 4), bool)
    assert np.isnan(overlap(empty, empty)["dice"])


def test_an_empty_mask_has_no_border_distance():
    assert np.isnan(border_distances(square(5, 5), np.zeros((40, 50), bool))).all()


def test_border_of_a_square_is_its_rim():
    assert len(border_points(square(5, 5), (1, 1))) == 36


def test_distance_of_two_points_is_in_mm_of_both_spacings():
    one, other = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    one[0, 0] = other[3, 4] = True
    assert border_distances(one, other) == (5, 5)
    assert border_distances(one, other, spacing=(2, 0.5)) == pytest.approx(((36 + 4) ** 0.5,) * 2)


def test_hausdorff_95_passes_over_a_rare_outlier():
    truth = square(5, 5, side=20)
    found = truth.copy()
    found[39, 49] = True
    assert border_distances(found, truth)[0] == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.3)])
def test_distances_are_those_of_a_distance_transform(spacing):
    ndimage = pytest.importorskip("scipy.ndimage")
    found, truth = speckle(2), speckle(3)
    rims = [mask ^ ndimage.binary_erosion(mask) for mask in (found, truth)]
    there, back = (ndimage.distance_transform_edt(~rims[1 - side], sampling=spacing)[rims[side]] for side in (0, 1))
    expected = max(np.percentile(there, 95), np.percentile(back, 95)), np.concatenate([there, back]).mean()
    assert border_distances(found, truth, spacing=spacing) == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_distances_are_those_of_monai():
    monai = pytest.importorskip("monai.metrics")
    import torch

    for seed in range(5):
        found, truth = speckle(seed), speckle(seed + 10)
        batch = [torch.from_numpy(np.stack([~mask, mask])[None]) for mask in (found, truth)]
        hd95 = monai.compute_hausdorff_distance(*batch, percentile=95, spacing=(0.8, 1.2))
        surface = monai.compute_average_surface_distance(*batch, symmetric=True, spacing=(0.8, 1.2))
        expected = hd95.item(), surface.item()
        assert border_distances(found, truth, spacing=(0.8, 1.2)) == pytest.approx(expected, rel=1e-5)
