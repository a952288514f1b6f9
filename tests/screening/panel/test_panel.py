import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrnet.screening.gate import Reason
from cxrnet.screening.panel.colour import WARNING
from cxrnet.screening.panel.panel import draw_panel, headline_text
from tests.plots.material import radiograph
from tests.screening.panel.material import refused, scored

WARNINGS = (Reason("LUNG_AREA", "lungs cover 62 % of the image; 8-60 % is usual"),)


def _has_warning_colour(panel):
    return bool((panel == np.array(WARNING, dtype=np.uint8)).all(axis=2).any())


def _is_panel(panel, width=1600):
    return panel.dtype == np.uint8 and panel.ndim == 3 and panel.shape[1:] == (width, 3)


def test_panel_is_1600_wide_rgb():
    assert _is_panel(draw_panel(scored()))


@settings(max_examples=10, deadline=None)
@given(st.integers(64, 400), st.floats(0.2, 5), st.floats(0, 1))
def test_panel_takes_every_size_and_score(height, aspect, score):
    width = max(64, round(height / aspect))
    finding = scored(height=height, width=width, scores={"covid": score, "non-covid": 1 - score})
    assert _is_panel(draw_panel(finding))


def test_panel_does_not_write_into_the_radiograph():
    finding = scored()
    draw_panel(finding)
    np.testing.assert_array_equal(finding.radiograph.pixels, radiograph())


@settings(max_examples=10, deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
def test_panel_takes_every_name(name):
    assert _is_panel(draw_panel(scored(name=name)))


def test_name_does_not_change_the_height():
    assert draw_panel(scored(name="x" * 5000)).shape == draw_panel(scored(name="")).shape


def test_panel_takes_long_names_of_classes():
    long = {"pneumonia " * 30: 0.7, "\u4e2d" * 40: 0.3}
    assert _is_panel(draw_panel(scored(scores=long)))


@pytest.mark.parametrize("count", [1, 3, 4, 14])
def test_panel_takes_any_number_of_classes(count):
    scores = {f"class {number}": 1 / count for number in range(count)}
    assert _is_panel(draw_panel(scored(scores=scores)))


def test_refused_panel_needs_no_scores():
    assert _is_panel(draw_panel(refused()))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 320), (320, 64)])
def test_refused_panel_takes_every_proportion(height, width):
    assert _is_panel(draw_panel(refused(height=height, width=width)))


def test_refused_panel_grows_with_its_reasons():
    many = tuple(Reason(f"CODE_{number}", "a long text " * 40) for number in range(8))
    assert draw_panel(refused(reasons=many)).shape[0] > draw_panel(refused()).shape[0]


def test_refused_panel_stands_out():
    assert _has_warning_colour(draw_panel(refused(reasons=())))


def test_warning_of_a_scored_image_stands_out():
    assert _has_warning_colour(draw_panel(scored(reasons=WARNINGS)))


def test_panel_without_warnings_has_no_warning_colour():
    assert not _has_warning_colour(draw_panel(scored()))


def test_verdict_is_the_first_of_two_classes_even_when_it_is_lower():
    headline = headline_text(scored(scores={"covid": 0.06, "non-covid": 0.94}))
    assert headline == ("covid 0.06", "uncalibrated score of the 6-fold ensemble")


def test_verdict_is_the_highest_of_three_classes():
    headline = headline_text(scored(scores={"a": 0.2, "b": 0.5, "c": 0.3}))
    assert headline == ("b 0.50", "highest of 3 uncalibrated scores of the 6-fold ensemble")


def test_verdict_says_that_a_score_is_calibrated():
    assert headline_text(scored(is_calibrated=True))[1] == "calibrated score of the 6-fold ensemble"


def test_verdict_of_a_single_fold_speaks_of_one_network():
    finding = scored(folds={"covid": [0.94], "non-covid": [0.06]})
    assert headline_text(finding)[1] == "uncalibrated score of one network"


def test_verdict_of_a_refused_image_is_no_score():
    assert headline_text(refused())[0] == "No score: refused"


@pytest.mark.parametrize("layout", ["flipped", "transposed", "read-only"])
def test_panel_takes_every_layout_of_memory(layout):
    pixels = radiograph(136, 120).T if layout == "transposed" else radiograph()
    if layout == "flipped":
        pixels = pixels[::-1, ::-1]
    pixels.flags.writeable = False
    assert _is_panel(draw_panel(scored(pixels=pixels)))


def test_verdict_gives_the_interval_over_the_folds():
    ends = {"covid": (0.811, 0.979), "non-covid": (0.021, 0.189)}
    assert headline_text(scored(interval=ends))[1].endswith("of the 6-fold ensemble, interval 0.81 to 0.98")


def test_verdict_calls_an_uncertain_answer_so():
    finding = scored(uncertainty_reason="the folds disagree", scores={"covid": 0.5, "non-covid": 0.5})
    assert headline_text(finding)[0] == "covid 0.50, uncertain"
    assert draw_panel(finding).shape[0] > draw_panel(scored()).shape[0]
    assert _has_warning_colour(draw_panel(finding))


def test_interval_is_drawn_as_a_bar_on_the_axis():
    ends = {"covid": (0.3, 0.98), "non-covid": (0.02, 0.7)}
    content = {"folds": {"covid": [0.9] * 6, "non-covid": [0.1] * 6}}
    plain, barred = draw_panel(scored(**content)), draw_panel(scored(interval=ends, **content))
    lower = slice(-250, None)
    assert (plain[lower, 400:900] != barred[lower, 400:900]).any()
