import pytest

from cxrnet.model.metric_names import format_estimate, format_metric


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ({"value": 0.9312, "low": 0.92, "high": 0.94}, "0.931 [0.920, 0.940]"),
        ({"value": 0.5, "low": None, "high": None}, "0.500"),
        ({"value": None, "low": None, "high": None}, "n/a"),
        (None, "n/a"),
    ],
)
def test_estimate_has_its_interval(estimate, text):
    assert format_estimate(estimate) == text


def test_distance_has_one_digit():
    assert format_metric({"hd95_px": {"value": 12.345, "low": None, "high": None}}, "hd95_px") == "12.3"
