from __future__ import annotations

import pytest

from cxrnet.errors import UsageError
from cxrnet.training.preflight import choose_rows
from cxrnet.training.segmenter_run import require_two_groups
from tests.data.conftest import sample


def images(*splits):
    return [sample(number, split=split) for number, split in enumerate(splits)]


def test_rows_of_test_are_left_out_and_said():
    lines = []
    assert [one.line for one in choose_rows(images("train", "val", "test", ""), lines.append)] == [2, 3, 5]
    assert lines == ["1 rows of the split test are left out"]


@pytest.mark.parametrize("splits", [("val", "val"), ("test",), ("train", "external")])
def test_split_without_images_to_train_on_is_named(splits):
    with pytest.raises(UsageError, match="split"):
        require_two_groups(choose_rows(images(*splits), print))
