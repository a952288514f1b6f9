from cxrnet.data.description import describe_images
from cxrnet.data.manifest import read_manifest
from tests.data.conftest import write_rows

ROWS = [
    {
        "image": "a.png",
        "mask": "1.png",
        "source": "north",
        "patient_id": "p1",
        "view": "PA",
        "License": "CC BY 4.0",
        "label": "",
    },
    {"image": "a.png", "mask": "2.png", "source": "north", "patient_id": "p1", "view": "PA", "License": "CC BY 4.0"},
    {"image": "b.png", "mask": "3.png", "source": "north", "patient_id": "p1", "view": "AP", "License": "not stated"},
    {"image": "c.png", "mask": "4.png", "source": "east", "label": "covid", "License": ""},
]


def describe(tmp_path, rows=ROWS):
    manifest = read_manifest(write_rows(tmp_path / "xrays.csv", rows))
    return describe_images(manifest, {"train": manifest.samples[:3], "val": manifest.samples[3:]}, sha256="0" * 64)


def test_xray_with_two_masks_counts_once(tmp_path):
    north, east = describe(tmp_path).sources
    assert (north.split, north.source, north.images, north.groups, north.patients) == ("train", "north", 2, 1, 1)
    assert (east.split, east.source, east.images) == ("val", "east", 1)


def test_spellings_of_a_patient_are_one_and_join_groups(tmp_path):
    patients, groups = ["007", "007", "7", "x"], ["g1", "g1", "g2", "g3"]
    rows = [
        {**row, "patient_id": patient, "group_id": group}
        for row, patient, group in zip(ROWS, patients, groups, strict=True)
    ]
    north = describe(tmp_path, [{"License": "", "label": "", "mask": "", "view": "", **row} for row in rows]).sources[0]
    assert (north.groups, north.patients) == (1, 1)


def test_licences_are_counted_whatever_the_case_of_the_column(tmp_path):
    north, east = describe(tmp_path).sources
    assert north.licences == {"CC BY 4.0": 1, "not stated": 1}
    assert east.licences == {"": 1}


def test_labels_and_views_are_counted(tmp_path):
    north, east = describe(tmp_path).sources
    assert (north.labels, north.views) == ({}, {"AP": 1, "PA": 1})
    assert (east.labels, east.views) == ({"covid": 1}, {"": 1})


def test_patients_are_not_counted_where_a_xray_names_none(tmp_path):
    assert describe(tmp_path).sources[1].patients is None


def test_manifest_without_a_column_of_licences_says_nothing_of_them(tmp_path):
    rows = [{name: value for name, value in row.items() if name != "License"} for row in ROWS]
    assert describe(tmp_path, rows).sources[0].licences == {"": 2}
