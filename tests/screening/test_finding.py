import json

import pytest
from pydantic import ValidationError

from cxrnet import Finding
from cxrnet.screening.gate import Reason

MODEL = {"name": "small", "version": "0.1", "sha256": "0" * 64}


def test_record_has_the_fields_of_its_schema(pipeline, chest, dicom):
    schema = Finding.model_json_schema(mode="serialization")
    for finding in (pipeline.screen(chest), pipeline.screen(dicom(Modality="CT"))):
        record = finding.record()
        assert set(record) == set(schema["properties"])
        assert set(record["radiograph"]) == set(schema["$defs"]["RadiographRecord"]["properties"])


def test_json_of_a_finding_is_its_record(pipeline, chest):
    finding = pipeline.screen(chest)
    assert json.loads(finding.to_json()) == finding.record()


def test_failed_finding_has_a_reason_and_nothing_else(pipeline):
    record = Finding.failed("x.dcm", Reason("UNREADABLE", "x.dcm: no"), pipeline.bundle).record()
    assert (record["status"], record["reasons"]) == ("failed", [{"code": "UNREADABLE", "text": "x.dcm: no"}])
    assert record["scores"] is record["folds"] is record["interval"] is record["radiograph"] is None


def test_finding_is_frozen(pipeline, chest):
    finding = pipeline.screen(chest)
    with pytest.raises(ValidationError):
        finding.status = "failed"


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_score_is_a_number(score):
    with pytest.raises(ValidationError):
        Finding(input="x", status="scored", model=MODEL, scores={"covid": score})


def test_notebook_shows_the_panel_of_a_finding(pipeline, chest):
    html = pipeline.screen(chest)._repr_html_()
    assert html.startswith("<img ")
    assert "data:image/png;base64," in html


def test_notebook_shows_why_a_file_failed_and_escapes_its_name(pipeline):
    html = Finding.failed("<b>.dcm", Reason("UNREADABLE", "<b>.dcm: no"), pipeline.bundle)._repr_html_()
    assert "UNREADABLE" in html
    assert "<b>.dcm" not in html.removeprefix("<p><b>")
