import csv
import json

import numpy as np
import pytest

from cxrnet import Pipeline, Radiograph
from cxrnet.errors import BundleError, UsageError
from cxrnet.model.bundle import read_bundle
from cxrnet.screening.options import Options
from cxrnet.screening.patient import dicom_values, find_patient_data
from cxrnet.screening.run import open_run
from cxrnet.web.page_model import describe_model, read_graphs
from tests.material import PATIENT

ORIGINS = ("dicom", "dicom", "dicom")


@pytest.fixture(scope="module")
def bundle(patient_bundle):
    return read_bundle(patient_bundle)


@pytest.fixture(scope="module")
def patients(bundle):
    with Pipeline(bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def named(bundle):
    with Pipeline(bundle, identifiers=True) as opened:
        yield opened


def radiograph(view="", **patient):
    tags = {"ViewPosition": view} if view else {}
    return Radiograph(
        pixels=np.zeros((2, 2), np.float32), name="x.dcm", sha256="", format="DICOM", tags=tags, patient=patient
    )


def origins(finding):
    return tuple(one.origin for one in finding.patient.values())


@pytest.mark.parametrize(
    ("text", "years"), [("045Y", 45), ("006M", 0.5), ("052W", 364 / 365.25), ("365D", 365 / 365.25)]
)
def test_age_of_a_header_is_in_years(text, years):
    assert float(dicom_values(radiograph(PatientAge=text))["age"][0]) == pytest.approx(years)


@pytest.mark.parametrize("text", ["45", "45Y", "O45Y", "?", "045X"])
def test_age_of_another_form_is_no_age_and_that_is_said(text):
    data = find_patient_data(PATIENT, radiograph("PA", PatientAge=text, PatientSex="M"), {}, given_by="csv")
    assert data.inputs.tolist() == [0, 1, 0, 1, 0, 0, 1, 0]
    assert data.notes == ("patient data: Age (dicom) cannot be used, taken as missing",)
    assert data.values["Age"].origin == "missing"


def test_given_values_go_before_the_header_and_empty_ones_do_not():
    image = radiograph("AP", PatientAge="070Y", PatientSex="F")
    data = find_patient_data(PATIENT, image, {"Age": 30, "sex": "", "view": None}, given_by="caller")
    np.testing.assert_allclose(data.inputs, [-1, 0, 1, 0, 0, 1, 0, 0])
    assert [one.origin for one in data.values.values()] == ["caller", "dicom", "dicom"]
    assert data.notes == ()


def test_column_that_the_model_does_not_take_is_refused(patients, pipeline, chest):
    with pytest.raises(UsageError, match="patient: age is not known; the model takes Age, sex, view"):
        patients.screen(chest, patient={"age": 30})
    with pytest.raises(UsageError, match="small: takes no patient data; leave out age"):
        pipeline.screen(chest, patient={"age": 30})


def test_finding_says_where_values_came_from_and_not_what_they_are(patients, named, dicom):
    path = dicom(PatientAge="073Y", PatientSex="F", ViewPosition="PA", PatientID="P-17")
    finding = patients.screen(path)
    assert origins(finding) == ORIGINS
    assert not any(text in finding.to_json() for text in ("073Y", "73.0", "emale", "P-17"))
    assert [one.value for one in named.screen(path).patient.values()] == ["73.0", "female", "PA"]
    missing = patients.screen(dicom(PatientAge="073Y"))
    assert origins(missing) == ("dicom", "missing", "missing")
    assert "patient data: sex, view missing" in missing.warnings
    assert missing.scores != finding.scores


def test_scores_of_the_folds_include_the_patient_data(patients, chest):
    finding = patients.screen(chest, patient={"Age": 90, "sex": "Male", "view": "AP"})
    image = patients.prepare(patients.read(chest))
    encoded = PATIENT.encode({"Age": "90", "sex": "Male", "view": "AP"}).inputs
    output = patients.run(image, encoded)
    assert finding.scores["covid"] == pytest.approx(float(output.scores[0]))
    np.testing.assert_allclose(finding.folds["covid"], output.fold_scores[:, 0], rtol=1e-5)
    assert min(finding.interval["covid"]) <= finding.scores["covid"] <= max(finding.interval["covid"])
    with pytest.raises(BundleError, match=r"small: takes patient data \(Age, sex, view\) besides the image"):
        patients.run(image)


def test_page_in_a_browser_has_no_input_for_patient_data(bundle):
    assert describe_model(bundle)["name"] == "small"  # the service screens with the header of a file
    with pytest.raises(BundleError, match="small: takes patient data; the page in a browser screens images alone"):
        read_graphs(bundle)


def run(folder, table, bundle, **more):
    options = Options(bundle=str(bundle.folder), save=frozenset({"json"}), jobs=1, **more)
    with open_run([str(table)], folder, options) as opened:
        return [(outcome.status, outcome.is_recalled, outcome.row["patient"]) for outcome in opened.outcomes]


def test_table_of_inputs_gives_patient_data_and_a_changed_one_is_screened_again(bundle, chest, dicom, tmp_path):
    dicom("b.dcm", PatientAge="073Y")
    table = tmp_path / "inputs.csv"
    table.write_text("image,Age,sex,weight\nchest.png,44,male,80\nb.dcm,,,70\n")
    out = tmp_path / "out"
    rows = [("Age: csv | sex: csv | view: missing"), ("Age: dicom | sex: missing | view: missing")]
    assert run(out, table, bundle) == [("scored", False, row) for row in rows]
    table.write_text("image,Age,sex\nchest.png,45,male\nb.dcm,,\n")
    assert [recalled for _, recalled, _ in run(out, table, bundle, resume=True)] == [False, True]
    record = json.loads((out / "chest" / "finding.json").read_text())
    assert record["patient"]["Age"] == {"origin": "csv", "value": None}
    with (out / "findings.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["patient"] == rows[0]


def test_image_with_two_rows_of_patient_data_is_refused(bundle, chest, tmp_path):
    table = tmp_path / "inputs.csv"
    table.write_text("image,Age\nchest.png,44\nchest.png,45\n")
    with pytest.raises(UsageError, match=r"chest.png: is there twice with other patient data"):
        run(tmp_path / "out", table, bundle)


def test_image_without_patient_data_has_none_in_its_finding(pipeline, chest):
    assert pipeline.screen(chest).record()["patient"] is None
