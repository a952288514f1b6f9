import numpy as np
import pytest

from cxrnet.errors import UsageError
from cxrnet.training.out_of_fold import read_out_of_fold


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "fold0" / "out_of_fold.csv"
    path.parent.mkdir()
    path.write_text("image,label,logit_a,logit_b\nx.png,b,1.5,-2\ny.png,a,0,1\n")
    return path


def test_logits_are_read_in_the_order_of_the_classes(table):
    found = read_out_of_fold(table, ("a", "b"))
    np.testing.assert_array_equal(found.logits, [[1.5, -2.0], [0.0, 1.0]])
    assert found.labels.tolist() == [1, 0]
    assert found.images == ("x.png", "y.png")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "image,label,logit_a,logit_b\n",
        "image,label,logit_a\nx.png,a,1\n",
        "image,label,logit_a,logit_b\nx.png,c,1,2\n",
        "image,label,logit_a,logit_b\nx.png,a,1\n",
        "image,label,logit_a,logit_b\nx.png,a,nan,2\n",
        "image,label,logit_a,logit_b\nx.png,a,1e308,2\n",
        "image,label,logit_a,logit_b,without_patient_logit_a,without_patient_logit_b\nx.png,a,1,2,nan,1\n",
    ],
)
def test_damaged_table_is_refused_by_name(table, content):
    table.write_text(content)
    with pytest.raises(UsageError, match=r"fold0/out_of_fold\.csv: has "):
        read_out_of_fold(table, ("a", "b"))


def test_missing_table_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match=r"out_of_fold\.csv: has no logits"):
        read_out_of_fold(tmp_path / "out_of_fold.csv", ("a", "b"))
