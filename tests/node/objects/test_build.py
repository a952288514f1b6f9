from __future__ import annotations

import re

import pydicom
import pytest
from pydicom.uid import UID

from cxrnet.errors import ObjectError
from cxrnet.node.objects import FILES, OBJECTS, build, write_objects
from cxrnet.node.objects.build import make_objects


def uids(dataset):
    return dataset.SOPInstanceUID, dataset.SeriesInstanceUID


def test_a_second_run_writes_the_same_bytes(pipeline, study, tmp_path):
    path = study()
    first, second = (make_objects(pipeline.screen(path), path, list(FILES))[0] for _ in range(2))
    assert list(first) == list(FILES)
    assert first == second


def test_uids_follow_film_and_model(pipeline, made, study):
    path = study()
    finding = pipeline.screen(path)
    objects = made(path, finding)
    others = made(path, finding.model_copy(update={"model": {**finding.model, "sha256": "0" * 64}}))
    for name, each in objects.items():
        assert uids(others[name])[0] != uids(each)[0]
        assert uids(others[name])[1] != uids(each)[1]
    of_another_film = made(study(SOPInstanceUID="1.2.3.4.5.7"))
    assert not {uid for each in of_another_film.values() for uid in uids(each)} & {
        uid for each in objects.values() for uid in uids(each)
    }


def test_a_series_holds_one_modality(made, study):
    objects = made(study())
    series = {each.SeriesInstanceUID: each.Modality for each in objects.values()}
    assert sorted(series.values()) == ["OT", "PR", "SEG", "SR"]
    assert objects["lungs.seg.dcm"].InstanceNumber != objects["heatmap.seg.dcm"].InstanceNumber
    assert "1.2.3.4.5" not in series


def test_every_uid_is_one(made, study):
    def all_uids(dataset):
        for element in dataset.iterall():
            if element.VR == "UI":
                yield from [element.value] if isinstance(element.value, str) else element.value

    for each in made(study()).values():
        for uid in all_uids(each):
            assert UID(uid).is_valid, uid


def test_the_preamble_is_zero(pipeline, study):
    path = study()
    for content in make_objects(pipeline.screen(path), path, list(FILES))[0].values():
        assert content[:132] == bytes(128) + b"DICM"


def test_all_hang_under_the_study_of_the_film(made, study):
    for each in made(study()).values():
        assert (each.StudyInstanceUID, each.PatientID, each.AccessionNumber) == ("1.2.3.4", "7", "A1")
        assert each.Manufacturer == "The cxrnet developers"
        assert "not for clinical use" in each.SeriesDescription


def test_an_object_has_the_time_of_the_film_and_no_other(made, study):
    objects = made(study(ContentDate="20240203", ContentTime="101112"))
    for name, each in objects.items():
        times = {element.value for element in each.iterall() if element.VR == "TM" and element.value}
        assert times == {"101112", "030405"}, name
        dates = {element.value for element in each.iterall() if element.VR == "DA" and element.value}
        assert dates == {"20240203", "20240102", "19700101"}, name
        assert not [element for element in each.iterall() if element.VR == "DT"]


def test_an_unknown_kind_of_image_is_one_line(pipeline, tmp_path):
    from tests.node.objects.conftest import save, study_of

    path = save(study_of(SOPClassUID="1.2.3.9"), tmp_path / "chest.dcm")
    with pytest.raises(
        ObjectError, match=r"^chest\.dcm: lungs\.seg\.dcm could not be made \(KeyError in .*\.py"
    ) as caught:
        make_objects(pipeline.screen(path), path, list(FILES))
    assert caught.value.code == "UNREADABLE"
    assert not re.search("Doe|1\\.2\\.3", str(caught.value))


def test_nothing_is_written_when_one_cannot_be_made(pipeline, study, tmp_path, monkeypatch):

    def broken(identity):
        raise ValueError("Doe^Jo")

    monkeypatch.setitem(build._MAKERS, "contours.gsps.dcm", broken)
    path = study()
    with pytest.raises(ObjectError, match=r"contours\.gsps\.dcm could not be made") as caught:
        write_objects(pipeline.screen(path), path, OBJECTS, tmp_path / "out")
    assert "Doe" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_files_can_be_read_without_a_warning(pipeline, study):
    path = study()
    for content in make_objects(pipeline.screen(path), path, list(FILES))[0].values():
        dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
        assert len(list(dataset.iterall())) > 50
