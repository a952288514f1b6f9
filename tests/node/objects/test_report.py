from functools import partial

import pytest

from cxrnet.screening.patient import PatientValue


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"sr"})


def items(dataset):
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def named(item):
    return item.ConceptNameCodeSequence[0].CodeValue


def numbers(dataset, name):
    found = [item for item in items(dataset) if item.ValueType == "NUM" and named(item) == name]
    return [float(item.MeasuredValueSequence[0].NumericValue) for item in found]


def answers(dataset, name):
    found = [item for item in items(dataset) if item.ValueType == "CODE" and named(item) == name]
    return [item.ConceptCodeSequence[0].CodeValue for item in found]


def texts(dataset):
    return [item.TextValue for item in items(dataset) if item.ValueType == "TEXT"]


@pytest.fixture
def finding(usual):
    return usual[1]


@pytest.fixture
def report(usual):
    return usual[2]["report.sr.dcm"]


def test_it_is_a_measurement_report_that_nobody_has_verified(report):
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert any("not for clinical use" in text for text in texts(report))


def test_scores_folds_and_area_are_those_of_the_finding(report, finding):
    assert numbers(report, "SCORE") == pytest.approx(list(finding.scores.values()), abs=1e-6)
    folds = [value for each in finding.folds.values() for value in each]
    assert numbers(report, "FOLD_SCORE") == pytest.approx(folds, abs=1e-6)
    assert numbers(report, "LUNG_AREA") == pytest.approx([finding.lung_area_fraction], abs=1e-6)
    assert numbers(report, "SPREAD") == pytest.approx([finding.spread], abs=1e-6)


def test_an_interval_is_reported_by_its_ends_and_as_an_uncertainty(report, finding):
    low, high = (list(each) for each in zip(*finding.interval.values(), strict=True))
    assert numbers(report, "INTERVAL_LOW") == pytest.approx(low, abs=1e-6)
    assert numbers(report, "INTERVAL_HIGH") == pytest.approx(high, abs=1e-6)
    scores = list(finding.scores.values())
    above = [end - score for end, score in zip(high, scores, strict=True)]
    assert numbers(report, "371886008") == pytest.approx(above, abs=2e-6)
    below = [score - end for end, score in zip(low, scores, strict=True)]
    assert numbers(report, "371885007") == pytest.approx(below, abs=2e-6)


def uncertain(finding, reason):
    return finding.model_copy(update={"uncertainty_reason": reason, "is_uncertain": reason is not None})


def test_uncertainty_is_said_in_code_and_in_words(made, study, finding):
    doubted = made(study(), uncertain(finding, "the folds disagree"))["report.sr.dcm"]
    assert answers(doubted, "UNCERTAIN") == ["373066001"]  # yes
    assert "Uncertain: the folds disagree" in texts(doubted)
    clear = made(study(), uncertain(finding, None))["report.sr.dcm"]
    assert answers(clear, "UNCERTAIN") == ["373067005"]  # no


def test_it_names_the_model_and_its_checksum(report, pipeline):
    reported = texts(report)
    assert "cxrnet small" in reported
    assert "0.1" in reported
    assert f"bundle sha256 = {pipeline.bundle.sha256}" in reported


def test_no_code_of_a_class_names_a_disease(report):
    classes = [item for item in items(report) if item.ValueType == "CODE" and named(item) == "121071"]
    codes = [item.ConceptCodeSequence[0] for item in classes]
    assert [(each.CodingSchemeDesignator, each.CodeValue) for each in codes] == [
        ("99CXRNET", "CLASS-covid"),
        ("99CXRNET", "CLASS-non-covid"),
    ]


def test_a_refused_xray_has_reasons_and_no_score(refusal):
    report = refusal["report.sr.dcm"]
    assert answers(report, "STATUS") == ["REFUSED"]
    assert answers(report, "REFUSAL") == ["LATERAL"]
    assert "LATERAL: looks like a lateral view (99 % sure); a frontal one is needed" in texts(report)
    for name in ("SCORE", "FOLD_SCORE", "INTERVAL_LOW", "INTERVAL_HIGH", "SPREAD"):
        assert numbers(report, name) == []


def test_a_corrected_xray_says_what_was_done(made, turned):
    path, finding = turned(90)
    assert "corrected: rotated clockwise by 90 degrees" in texts(made(path, finding)["report.sr.dcm"])


def test_patient_data_are_named_by_where_they_came_from(made, usual):
    path, finding, _ = usual
    taken = {"age": PatientValue(origin="dicom"), "sex": PatientValue(origin="missing")}
    report = made(path, finding.model_copy(update={"patient": taken}))["report.sr.dcm"]
    assert "Patient data: age: dicom | sex: missing" in texts(report)
