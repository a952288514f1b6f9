import cv2
import pytest

from cxrnet.errors import ManifestError
from tests.data.datasets.conftest import HOLE, LUNG, version_1, version_2

SIMPLE = [{"name": "Lung", "polygon": {"path": LUNG}}, {"name": "COVID-19", "tag": {}}]


def with_hole(form):
    polygon = {"paths": [LUNG, HOLE]} if form is version_2 else {"path": LUNG, "additional_paths": [HOLE]}
    return [{"name": "Lung", "polygon": polygon}]


@pytest.mark.parametrize("form", [version_1, version_2])
def test_polygon_is_drawn_at_the_size_of_the_xray(build, darwin, tmp_path, form):
    _, rows = build("darwin", darwin("1.png", with_hole(form), form))
    mask = cv2.imread(str(tmp_path / rows[0]["mask"]), 0)
    assert mask.shape == (80, 90)
    assert [mask[place] for place in ((45, 15), (35, 25), (70, 15))] == [255, 0, 0]


def test_complex_polygon_of_version_1_is_read(build, darwin, tmp_path):
    folder = darwin("1.png", [{"name": "Lung", "complex_polygon": {"path": [LUNG, HOLE]}}])
    mask = cv2.imread(str(tmp_path / build("darwin", folder)[1][0]["mask"]), 0)
    assert (mask[35, 25], mask[45, 15]) == (0, 255)


def test_lungs_that_overlap_are_joined(build, darwin, tmp_path):
    folder = darwin("1.png", [*SIMPLE, {"name": "Left lung", "polygon": {"path": HOLE}}])
    mask = cv2.imread(str(tmp_path / build("darwin", folder)[1][0]["mask"]), 0)
    assert mask[35, 25] == 255


def test_tags_tell_class_and_facts(build, darwin):
    tags = ["Viral Pneumonia", "View/AP", "Patient ID/42", "Age: 61"]
    folder = darwin("1.png", [*SIMPLE[:1], *({"name": tag, "tag": {}} for tag in tags)])
    (row,) = build("darwin", folder)[1]
    assert (row["label"], row["view"], row["patient_id"], row["age"]) == ("non-covid", "AP", "darwin:42", "61")


def test_patient_of_kermany_is_in_the_name(build, darwin):
    (row,) = build("darwin", darwin("person12_virus_5.png", SIMPLE))[1]
    assert row["patient_id"] == "darwin:person12"
    assert row["label"] == "covid"


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ([*SIMPLE, {"name": "Lateral", "tag": {}}], "tagged as lateral or CT"),
        ([*SIMPLE, {"name": "View/Sagittal", "tag": {}}], "tagged as lateral or CT"),
        ([*SIMPLE, {"name": "Axial CT", "tag": {}}], "tagged as lateral or CT"),
        ([{"name": "Ignore", "polygon": {"path": LUNG}}], "no lung polygon"),
    ],
)
def test_xray_is_left_out(build, darwin, annotations, reason):
    darwin("1.png", SIMPLE)
    built, rows = build("darwin", darwin("2.png", annotations, version_2))
    assert built.left_out == {reason: 1}
    assert len(rows) == 1


def test_annotation_without_its_image_is_left_out(build, darwin):
    folder = darwin("1.png", SIMPLE)
    darwin("2.png", SIMPLE)
    (folder / "images" / "2.png").unlink()
    assert build("darwin", folder)[0].left_out == {"no image file of this name": 1}


@pytest.mark.parametrize("text", ["{", "[]", '{"image": {}, "annotations": []}', '{"item": {"slots": []}}'])
def test_other_json_is_refused(build, darwin, text):
    folder = darwin("1.png", SIMPLE)
    (folder / "annotations" / "2.json").write_text(text)
    with pytest.raises(ManifestError, match=r"2\.json: is not Darwin JSON of version 1 or 2"):
        build("darwin", folder)


def test_folder_without_annotations_is_refused(build, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="holds no JSON file; give the folder of a Darwin export"):
        build("darwin", tmp_path / "empty")
