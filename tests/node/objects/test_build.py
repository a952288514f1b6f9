import numpy as np
import pytest
from pydicom.uid import UID

from cxrnet.errors import ObjectError
from cxrnet.node.objects import FILES, OBJECTS, build, write_objects
from cxrnet.node.objects.build import build_objects


def uids(dataset):
    return dataset.SOPInstanceUID, dataset.SeriesInstanceUID


def test_a_second_run_writes_the_same_bytes(usual):
    path, finding, _ = usual
    made, _ = build_objects(finding, path, list(FILES))
    assert list(made) == list(FILES)
    for name, content in made.items():
        assert content[:132] == bytes(128) + b"DICM"
        assert content == (path.parent / "objects" / name).read_bytes()


def test_uids_follow_xray_and_model(usual, made, study):
    path, finding, objects = usual
    others = made(path, finding.model_copy(update={"model": {**finding.model, "sha256": "0" * 64}}))
    for name, each in objects.items():
        assert uids(others[name])[0] != uids(each)[0]
        assert uids(others[name])[1] != uids(each)[1]
    of_another_xray = made(study(SOPInstanceUID="1.2.3.4.5.7"))
    assert not {uid for each in of_another_xray.values() for uid in uids(each)} & {
        uid for each in objects.values() for uid in uids(each)
    }


def test_a_series_holds_one_modality(usual):
    objects = usual[2]
    series = {each.SeriesInstanceUID: each.Modality for each in objects.values()}
    assert sorted(series.values()) == ["OT", "PR", "SEG", "SR"]
    assert objects["lungs.seg.dcm"].InstanceNumber != objects["heatmap.seg.dcm"].InstanceNumber
    assert "1.2.3.4.5" not in series


def test_all_hang_under_the_study_of_the_xray_and_refer_to_it(usual):
    for each in usual[2].values():
        uids = {uid for element in each.iterall() if element.VR == "UI" for uid in np.atleast_1d(element.value)}
        assert all(UID(uid).is_valid for uid in uids)
        assert "1.2.3.4.5.6" in uids
        assert (each.StudyInstanceUID, each.PatientID, each.AccessionNumber) == ("1.2.3.4", "7", "A1")
        assert each.Manufacturer == "The cxrnet developers"
        assert "not for clinical use" in each.SeriesDescription


def test_an_object_has_the_time_of_the_xray_and_no_other(made, study):
    objects = made(study(ContentDate="20240203", ContentTime="101112"))
    for name, each in objects.items():
        times = {element.value for element in each.iterall() if element.VR == "TM" and element.value}
        assert times == {"101112", "030405"}, name
        dates = {element.value for element in each.iterall() if element.VR == "DA" and element.value}
        assert dates == {"20240203", "20240102", "19700101"}, name
        assert not [element for element in each.iterall() if element.VR == "DT"]


@pytest.mark.parametrize("kind", ["1.2.3.9", "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.12.1"])
def test_an_image_of_any_class_has_objects_that_refer_to_it(made, study, kind):
    for name, each in made(study(SOPClassUID=kind)).items():
        classes = {found.value for found in each.iterall() if found.keyword == "ReferencedSOPClassUID"}
        assert classes == {kind}, name


def test_an_object_that_cannot_be_made_is_one_line_and_nothing_is_written(pipeline, study, tmp_path, monkeypatch):
    def broken(identity):
        raise KeyError(identity.source.patient_study.PatientName)

    path = study()
    monkeypatch.setitem(build._BUILDERS, "lungs.seg.dcm", broken)
    with pytest.raises(
        ObjectError, match=r"^chest\.dcm: lungs\.seg\.dcm could not be made \(KeyError in .*\.py"
    ) as caught:
        write_objects(pipeline.screen(path), path, OBJECTS, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert caught.value.code == "UNREADABLE"
    assert "Doe" not in str(caught.value)
