import numpy as np
import pytest

from cxrnet.model.gate_runtime import CONTENTS, GatePrediction
from cxrnet.screening.gate import (
    Code,
    GateResult,
    Reason,
    check_clipping,
    check_contrast,
    check_image,
    check_lungs,
    check_tags,
    check_view,
    correctable,
)

LIMITS = {"least_frontal": 0.3, "doubted_frontal": 0.8, "unlike": 5.0}
FILM = np.tile(np.linspace(0, 255, 256, dtype=np.float32), (16, 1))
LUNGS = np.zeros((16, 256), bool)
LUNGS[4:12, 60:160] = True


def view(*, turn=0, turned=0.0, inverted=0.0, distance=1.0, **contents):
    rest = (1 - sum(contents.values())) / (len(CONTENTS) - len(contents))
    return GatePrediction(
        contents={name: contents.get(name, rest) for name in CONTENTS},
        turn=turn,
        turned=turned,
        inverted=inverted,
        distance=distance,
        limits=LIMITS,
    )


GOOD = view(frontal=0.99)


def codes(reasons):
    return [reason.code for reason in reasons]


def test_gate_passes_a_frontal_chest_radiograph():
    tags = {"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "PA"}
    assert check_image(tags, pixels=FILM, view=GOOD, lungs=LUNGS) == GateResult()


def test_gate_passes_a_picture_without_attributes():
    assert check_image({}, pixels=FILM, view=GOOD, lungs=None).reasons == ()


@pytest.mark.parametrize(
    ("tags", "code", "words"),
    [
        ({"Modality": "CT"}, Code.NOT_CHEST, "modality is CT (0008,0060)"),
        ({"BodyPartExamined": "EXTREMITY"}, Code.NOT_CHEST, "body part is EXTREMITY (0018,0015)"),
        ({"BodyPartExamined": "THORACIC SPINE"}, Code.NOT_CHEST, "THORACIC SPINE"),
        ({"BodyPartExamined": "CHEST LAT"}, Code.LATERAL, "CHEST LAT"),
        ({"AnatomicRegionSequence": "HAND"}, Code.NOT_CHEST, "anatomic region is HAND (0008,2218)"),
        ({"ViewPosition": "LL"}, Code.LATERAL, "view is LL (0018,5101)"),
        ({"ViewPosition": "LEFT LATERAL"}, Code.LATERAL, "LEFT LATERAL"),
        ({"ViewPosition": "RAO"}, Code.OBLIQUE, "view is RAO (0018,5101)"),
        ({"ViewCodeSequence": "LEFT LATERAL"}, Code.LATERAL, "(0054,0220)"),
        ({"PatientOrientation": "A\\F"}, Code.LATERAL, "(0020,0020)"),
        ({"SeriesDescription": "THORAX LAT"}, Code.LATERAL, "series description is THORAX LAT (0008,103e)"),
        ({"ProtocolName": "CHEST LL", "StudyDescription": "CHEST PA"}, Code.LATERAL, "protocol is CHEST LL"),
        ({"SeriesDescription": "XR HAND"}, Code.NOT_CHEST, "series description is XR HAND"),
        ({"StudyDescription": "KNEE AP"}, Code.NOT_CHEST, "study description is KNEE AP (0008,1030)"),
    ],
)
def test_gate_refuses_by_attributes(tags, code, words):
    (reason,) = check_tags(tags).refusals
    assert reason.code == code
    assert words in reason.text


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("BodyPartExamined", "CHEST PA"),
        ("BodyPartExamined", "CHEST 1 VIEW"),
        ("BodyPartExamined", "TORAX"),
        ("BodyPartExamined", "UNKNOWN"),
        ("BodyPartExamined", "(no defined term)"),
        ("Modality", "(no defined term)"),
        ("ViewPosition", "PA"),
        ("ViewPosition", "AP LAT"),
        ("PatientOrientation", "L\\F"),
        ("PatientOrientation", ""),
        ("StudyDescription", "CHEST LAT"),
        ("SeriesDescription", "CHEST PA LAT"),
        ("SeriesDescription", "ROUTINE"),
    ],
)
def test_gate_passes_terms_of_a_chest_and_terms_that_say_nothing(keyword, value):
    assert check_tags({keyword: value}) == GateResult()


@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "CHEST LAT", "ViewPosition": "AP"},
        {"SeriesDescription": "LATERAL", "PatientOrientation": "L\\F"},
        {"SeriesDescription": "CHEST LAT", "ProtocolName": "CHEST PA"},
        {"StudyDescription": "ABDOMEN", "BodyPartExamined": "CHEST"},
        {"StudyDescription": "HAND", "ProtocolName": "THORAX AP"},
    ],
)
def test_gate_asks_free_text_only_where_nothing_else_speaks(tags):
    assert check_tags(tags) == GateResult()


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"ViewPosition": "LLD"}, Code.DECUBITUS),
        ({"ViewPosition": "LEFT LATERAL DECUBITUS"}, Code.DECUBITUS),
        ({"ViewPosition": "APICAL LORDOTIC"}, Code.LORDOTIC),
        ({"StudyDescription": "CHEST ABDOMEN"}, Code.NOT_CHEST),
        ({"PatientOrientation": "R\\F"}, Code.MIRRORED),
        ({"PatientOrientation": "L\\H"}, Code.MIRRORED),
    ],
)
def test_gate_warns_by_attributes(tags, code):
    result = check_tags(tags)
    assert (result.refusals, codes(result.warnings)) == ((), [code])


@pytest.mark.parametrize("fraction", [0.0, 0.059, 0.701, 1.0])
def test_gate_refuses_implausible_lungs(fraction):
    (reason,) = check_lungs(fraction).refusals
    assert reason.code == Code.LUNG_AREA
    assert "6 % to 70 % is plausible" in reason.text


@pytest.mark.parametrize(
    ("content", "code"), [("lateral", Code.LATERAL), ("part", Code.LUNG_AREA), ("other", Code.NOT_CHEST)]
)
def test_gate_refuses_by_content(content, code):
    result = check_view(view(frontal=0.1, **{content: 0.8}))
    assert codes(result.refusals) == [code]
    assert "90 % sure" in result.refusals[0].text


def test_gate_warns_where_content_is_in_doubt():
    result = check_view(view(frontal=0.5, lateral=0.4))
    assert result.refusals == ()
    assert codes(result.warnings) == [Code.LATERAL]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (view(frontal=0.99, inverted=0.97), [Code.INVERTED]),
        (view(frontal=0.99, turned=0.9, turn=90), [Code.ROTATED]),
        (view(frontal=0.99, inverted=0.6, turned=0.6, turn=180), [Code.INVERTED, Code.ROTATED]),
        (view(frontal=0.99, inverted=0.4, turned=0.4, turn=0), []),
    ],
)
def test_gate_refuses_by_polarity_and_turn(seen, expected):
    assert codes(check_view(seen).refusals) == expected


def test_gate_warns_of_what_is_unlike_the_training():
    result = check_view(view(frontal=0.99, distance=5.1))
    assert result.refusals == ()
    assert codes(result.warnings) == [Code.UNLIKE_TRAINING]
    assert "distance 5.1, 5.0 is usual at most" in result.warnings[0].text


def test_gate_refuses_what_is_far_from_the_training():
    assert codes(check_view(view(frontal=0.99, distance=10.1)).refusals) == [Code.UNLIKE_TRAINING]
    assert codes(check_view(view(frontal=0.5, other=0.4, distance=10.1)).refusals) == [Code.NOT_CHEST]


def test_gate_refuses_few_greys_and_warns_of_a_narrow_range():
    few = np.round(FILM / 32) * 32
    assert codes(check_contrast(few).refusals) == [Code.LOW_CONTRAST]
    narrow = 100 + FILM / 10
    assert check_contrast(narrow).refusals == ()
    assert codes(check_contrast(narrow).warnings) == [Code.LOW_CONTRAST]


def test_gate_gives_every_reason_and_each_code_once():
    tags = {"Modality": "MR", "BodyPartExamined": "HEAD"}
    result = check_image(tags, pixels=FILM, view=view(other=0.99), lungs=np.zeros((16, 256), bool))
    assert codes(result.refusals) == [Code.NOT_CHEST, Code.NOT_CHEST, Code.NOT_CHEST, Code.LUNG_AREA]
    assert codes(result.reasons) == [Code.NOT_CHEST, Code.LUNG_AREA]


def test_refusals_come_before_warnings():
    first, second = Reason("A", "a"), Reason("B", "b")
    assert (GateResult((), (second,)) + GateResult((first,))).reasons == (first, second)


@pytest.mark.parametrize(
    ("refused", "seen", "expected"),
    [
        ([Code.INVERTED], view(frontal=0.99, inverted=0.95), (True, 0)),
        ([Code.ROTATED], view(frontal=0.99, turned=0.95, turn=270), (False, 270)),
        ([Code.ROTATED, Code.LUNG_AREA], view(frontal=0.99, turned=0.95, turn=90), (False, 90)),
        ([Code.INVERTED, Code.ROTATED], view(frontal=0.99, inverted=0.95, turned=0.95, turn=180), (True, 180)),
        ([Code.INVERTED], view(frontal=0.99, inverted=0.7), (False, 0)),
        ([Code.INVERTED, Code.NOT_CHEST], view(frontal=0.99, inverted=0.95), (False, 0)),
        ([Code.LUNG_AREA], view(frontal=0.99), (False, 0)),
        ([], GOOD, (False, 0)),
    ],
)
def test_only_what_is_beyond_doubt_is_corrected(refused, seen, expected):
    result = GateResult(tuple(Reason(code, "") for code in refused))
    assert correctable(result, seen) == expected


RAMP = np.random.default_rng(1).permutation(np.linspace(0, 255, 300 * 340, dtype=np.float32)).reshape(300, 340)
CENTRE = np.zeros((30, 34), bool)
CENTRE[5:25, 5:29] = True


@pytest.mark.parametrize(
    "clip", [lambda share: np.minimum(RAMP, 255 - 255 * share), lambda s: np.maximum(RAMP, 255 * s)]
)
@pytest.mark.parametrize(("share", "refused", "warned"), [(0.03, 0, 0), (0.1, 0, 1), (0.3, 1, 0)])
def test_gate_stops_clipped_images(clip, share, refused, warned):
    result = check_clipping(clip(share), CENTRE)
    assert codes(result.refusals) == [Code.CLIPPED] * refused
    assert codes(result.warnings) == [Code.CLIPPED] * warned


def test_gate_does_not_count_borders_and_markers_as_clipped():
    framed = RAMP.copy()
    framed[:45], framed[:, :45], framed[60:63, 60:63] = 0, 255, 255
    assert check_clipping(framed, CENTRE) == GateResult()


def test_gate_takes_a_narrow_range_of_many_levels():
    narrow = RAMP / 20
    narrow[0, 0] = 255
    assert check_contrast(narrow) == GateResult()
