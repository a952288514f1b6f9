import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cxrnet.data.folds import (
    TOLERANCE,
    assign,
    assign_folds,
    check_folds,
    group_ids,
)
from cxrnet.data.manifest import read_manifest
from cxrnet.data.split import find_duplicates
from cxrnet.errors import ManifestError, UsageError
from tests.data.conftest import sample, write_rows, write_xray

GROUPED = some.lists(
    some.tuples(some.integers(0, 30), some.sampled_from("abc"), some.sampled_from("xy")), min_size=6, max_size=150
)


def rows(drawn):
    return [
        sample(number, group=f"g{group}", label=label, source=source)
        for number, (group, label, source) in enumerate(drawn)
    ]


@given(GROUPED, some.integers(2, 6), some.integers(0, 5))
def test_no_group_is_divided_and_no_fold_is_empty(drawn, folds, seed):
    samples = rows(drawn)
    if len({row.group for row in samples}) < folds:
        return
    parts = assign_folds(samples, folds=folds, seed=seed)
    assert set(parts) == set(range(folds))
    np.testing.assert_array_equal(parts, assign_folds(samples, folds=folds, seed=seed))
    for group in {row.group for row in samples}:
        assert len({part for part, row in zip(parts, samples, strict=True) if row.group == group}) == 1


@given(some.integers(0, 1000), some.floats(0.1, 0.9))
@settings(max_examples=20)
def test_classes_keep_their_shares_when_groups_are_small(seed, share):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(300), rng.integers(1, 4, 300))
    labels = np.where(rng.random(300) < share, "a", "b")[groups]
    samples = [sample(place, group=f"g{group}", label=labels[place]) for place, group in enumerate(groups)]
    parts = assign_folds(samples, folds=6, seed=0)
    assert all(abs(np.mean(labels[parts == part] == "a") - np.mean(labels == "a")) <= TOLERANCE for part in range(6))


def test_seed_changes_the_folds():
    samples = [sample(number) for number in range(60)]
    assert not np.array_equal(assign_folds(samples, folds=6, seed=0), assign_folds(samples, folds=6, seed=1))


def test_sources_are_spread_over_the_folds():
    samples = [sample(number, source="rare" if number < 6 else "common") for number in range(60)]
    assert sorted(assign_folds(samples, folds=6, seed=0)[:6]) == list(range(6))


def test_folds_are_no_less_even_than_those_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 80, 400)
    labels = np.where(rng.random(400) < 0.2 + 0.5 * (groups % 2), "a", "b")
    samples = [sample(place, group=str(groups[place]), label=str(labels[place])) for place in range(400)]
    theirs = np.zeros(400, int)
    splitter = selection.StratifiedGroupKFold(6, shuffle=True, random_state=0)
    for fold, (_, inside) in enumerate(splitter.split(labels, labels, groups)):
        theirs[inside] = fold

    def worst(parts):
        return max(abs(np.mean(labels[parts == fold] == "a") - np.mean(labels == "a")) for fold in range(6))

    assert worst(assign_folds(samples, folds=6, seed=0)) <= worst(theirs)


def test_patient_in_two_groups_joins_them():
    samples = [sample(0, patient="p"), sample(1, patient="p"), sample(2)]
    assert group_ids(samples).tolist() == [0, 0, 1]


def test_duplicates_stay_together():
    assert group_ids([sample(0), sample(1), sample(2)], [(0, 2)]).tolist() == [0, 1, 0]


def test_duplicates_are_found_by_their_pixels(tmp_path):
    names = ["1.png", "2.png", "copy.jpg"]
    for name, seed in zip(names, (1, 2, 1), strict=True):
        write_xray(tmp_path / name, seed, height=300, width=340)
    write_rows(tmp_path / "xrays.csv", [{"image": name} for name in names])
    samples = read_manifest(tmp_path / "xrays.csv").samples
    assert (0, 2) in find_duplicates(samples, similarity=0.9)
    assert (0, 1) not in find_duplicates(samples, similarity=0.9)


def test_parts_may_have_different_shares():
    samples = [sample(number, label="ab"[number % 2]) for number in range(100)]
    parts = assign(samples, group_ids(samples), [0.8, 0.2], seed=0)
    assert np.bincount(parts).tolist() == [80, 20]


def test_fewer_groups_than_folds_are_wrong_usage():
    with pytest.raises(UsageError, match="2 groups cannot fill 3 folds; take fewer folds or add patients"):
        assign_folds([sample(0), sample(1)], folds=3, seed=0)


def test_real_manifest_splits_evenly(shared):
    samples = read_manifest(shared / "data/classification/manifest.csv").samples
    parts = assign_folds(samples, folds=6, seed=0)
    covid = np.array([row.label == "covid" for row in samples])
    assert all(abs(covid[parts == fold].mean() - covid.mean()) < 0.005 for fold in range(6))
    assert max(np.bincount(parts)) - min(np.bincount(parts)) <= 3


def test_image_of_two_spellings_stays_together(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "1.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "1.png")
    spellings = [tmp_path / "1.png", tmp_path / "a" / ".." / "1.png", tmp_path / "link.png", tmp_path / "2.png"]
    assert group_ids([sample(n, image=path) for n, path in enumerate(spellings)]).tolist() == [0, 0, 0, 1]


def test_class_with_another_share_in_a_fold_is_refused_unless_a_large_group_forbids_it():
    samples = [sample(number, label="ab"[number < 100]) for number in range(200)]
    parts = np.repeat([0, 1], 100)
    with pytest.raises(ManifestError, match=r"fold 0: 0\.0% of its images are a, of all 50\.0%"):
        check_folds(samples, np.arange(200), parts)
    lines = check_folds(samples, np.repeat([0, 1], 100), parts)
    assert len(lines) == 4
    assert "groups are not divided, the largest, g0, has 100 images" in lines[0]
