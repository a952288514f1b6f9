import csv
import json
from collections import Counter

import pytest

from cxrnet.data.manifest import read_manifest
from cxrnet.errors import UsageError
from cxrnet.evaluation.audit.audit import Audit, AuditRequest, draw_evenly
from cxrnet.evaluation.audit.record import AuditRecord
from tests.evaluation.conftest import pipeline  # noqa: F401
from tests.evaluation.material import write_images, write_rows


@pytest.fixture(scope="module")
def audited(pipeline, images, tmp_path_factory):  # noqa: F811
    """Folder of an audit of the small bundle."""
    out = tmp_path_factory.mktemp("audit")
    request = AuditRequest(manifest=images, limit=3, changes="middle", resamples=20)
    assert [outcome.status for outcome in Audit(pipeline, request, out).run()] == ["scored"] * 3
    return out


def test_metrics_are_of_the_published_form(audited):
    record = AuditRecord.model_validate_json((audited / "metrics.json").read_text())
    assert record.stability.means["middle"]["lung_dice"].value > 0.8
    assert {change.kind for change in record.stability.changes} >= {"noise", "mirror", "dicom-window"}
    assert record.shortcuts.auc["untouched"][""].n == 3
    assert set(record.heat_maps.randomisation) == {"block 2", "block 1", "normalisation", "attention"}
    json.loads((audited / "metrics.json").read_text(), parse_constant=pytest.fail)


def test_table_has_each_image_unchanged_and_under_every_change(audited):
    rows = list(csv.DictReader((audited / "changes.csv").read_text().splitlines()))
    counts = Counter(row["change"] for row in rows)
    assert set(counts.values()) == {3}
    assert len(counts) == 25


def test_report_holds_its_plots_and_they_have_their_numbers_next_to_them(audited):
    report = (audited / "report.html").read_text()
    assert report.count("data:image/png;base64") == len(list(audited.glob("*.svg"))) == len(list(audited.glob("*.png")))
    header = (audited / "stability_class_changes.csv").read_text().splitlines()[0]
    assert header == "change,label,strength,value,low,high,n"
    for heading in ("Stability", "Shortcuts", "Heat maps"):
        assert f"<h2>{heading}</h2>" in report


def test_images_are_drawn_from_every_source_and_class(images):
    samples = read_manifest(images).samples
    drawn = draw_evenly(samples, 4, seed=0)
    assert len({(sample.source, sample.label) for sample in drawn}) == 4
    assert drawn == draw_evenly(samples, 4, seed=0)


def test_groups_of_one_patient_are_one(pipeline, tmp_path):  # noqa: F811
    _, rows = write_images(tmp_path, 4)
    table = write_rows(
        tmp_path, [{**row, "patient_id": ("007", "7", "8", "")[place]} for place, row in enumerate(rows)]
    )
    found = Audit(pipeline, AuditRequest(manifest=table), tmp_path).samples
    assert [sample.group for sample in sorted(found, key=lambda sample: sample.line)] == ["g0", "g0", "g2", "g3"]


def test_image_with_two_classes_is_refused(pipeline, tmp_path):  # noqa: F811
    _, rows = write_images(tmp_path, 4)
    table = write_rows(tmp_path, [*rows, {**rows[0], "image": "./image0.png", "label": "non-covid"}])
    with pytest.raises(UsageError, match=r"lines 2, 6: image0\.png is labelled covid and non-covid"):
        Audit(pipeline, AuditRequest(manifest=table), tmp_path)


def test_fold_that_the_bundle_lacks_is_refused(pipeline, images, tmp_path):  # noqa: F811
    with pytest.raises(UsageError, match="fold-column"):
        Audit(pipeline, AuditRequest(manifest=images, fold_column="fold"), tmp_path)
