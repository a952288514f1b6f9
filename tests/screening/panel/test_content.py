import numpy as np
import pytest

from tests.plots.material import heatmap, lung_mask, radiograph, refused, scored


def test_content_knows_its_size():
    assert scored(height=100, width=80).size == (100, 80)


def test_radiograph_in_colour_is_an_error():
    with pytest.raises(ValueError, match=r"radiograph: is uint8 \[9, 9, 3\]; uint8 \[height, width\] is acc"):
        scored(radiograph=np.zeros((9, 9, 3), dtype=np.uint8))


def test_radiograph_of_16_bits_is_an_error():
    with pytest.raises(ValueError, match="radiograph: is uint16"):
        scored(radiograph=radiograph().astype(np.uint16))


def test_lungs_of_another_size_are_an_error():
    with pytest.raises(ValueError, match=r"lungs: is bool \[60, 60\]; bool \[120, 136\] is accepted"):
        scored(lungs=lung_mask(60, 60))


def test_lung_probability_is_an_error():
    with pytest.raises(ValueError, match="lungs: is float32"):
        scored(lungs=lung_mask().astype(np.float32))


def test_heatmap_of_another_size_is_an_error():
    with pytest.raises(ValueError, match=r"heat map of covid: is float32 \[60, 60\]"):
        scored(heatmaps={"covid": heatmap(60, 60), "non-covid": heatmap()})


def test_difference_in_double_precision_is_an_error():
    with pytest.raises(ValueError, match="difference: is float64"):
        scored(difference=heatmap().astype(np.float64))


def test_difference_of_three_classes_is_an_error():
    with pytest.raises(ValueError, match="difference: given for 3 classes; 2 classes are accepted"):
        scored(scores={"a": 0.2, "b": 0.3, "c": 0.5}, difference=heatmap())


def test_scored_without_scores_is_an_error():
    with pytest.raises(ValueError, match="scores: 0 classes when scored; a scored image has some"):
        scored(scores={})


def test_refused_with_scores_is_an_error():
    with pytest.raises(ValueError, match="scores: 2 classes when refused"):
        scored(status="refused")


def test_folds_of_other_classes_are_an_error():
    with pytest.raises(ValueError, match=r"folds: classes are \['covid'\]; \['covid', 'non-covid'\]"):
        scored(folds={"covid": [0.9]})


def test_no_fold_is_an_error():
    with pytest.raises(ValueError, match="folds of covid: are none; a model has one or more"):
        scored(folds={"covid": [], "non-covid": []})


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_score_that_is_no_probability_is_an_error(score):
    with pytest.raises(ValueError, match=r"score of covid: is .*; a probability in \[0, 1\] is accepted"):
        scored(scores={"covid": score, "non-covid": 0.1})


def test_score_may_pass_1_by_a_rounding():
    assert scored(scores={"covid": 1.0000001, "non-covid": 0.0}).status == "scored"


def test_refused_needs_no_scores():
    assert refused().scores == {}
