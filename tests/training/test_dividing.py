from __future__ import annotations

import pytest

from cxrnet.errors import UsageError
from cxrnet.training.segmenter_run import divide
from tests.data.conftest import sample


def films(*splits):
    return [sample(number, split=split) for number, split in enumerate(splits)]


def test_splits_are_taken_as_they_are_named():
    train, validation = divide(films("train", "val", "test", "train", ""), seed=0)
    assert [one.line for one in train] == [2, 5]
    assert [one.line for one in validation] == [3]


@pytest.mark.parametrize("splits", [[""] * 20, ["train"] * 20 + ["test"] * 5])
def test_without_val_a_tenth_of_what_may_be_trained_on_is_held_out(splits):
    train, validation = divide(films(*splits), seed=0)
    assert len(validation) == 2
    assert len(train) == 18
    assert {one.split for one in (*train, *validation)} == {splits[0]}


def test_split_without_films_to_train_on_is_named():
    with pytest.raises(UsageError, match="names no films to train on"):
        divide(films("val", "test"), seed=0)
