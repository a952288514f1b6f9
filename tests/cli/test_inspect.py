import json


def test_inspect_prints_the_steps_of_the_reader(cxrnet, small_bundle, dicom):
    said = cxrnet("inspect", dicom(PhotometricInterpretation="MONOCHROME1"), "--bundle", small_bundle)
    assert said.code == 0
    assert "inverted once for MONOCHROME1 (0028,0004)" in said.out
    assert "gate      " in said.out


def test_inspect_prints_what_the_gate_says(cxrnet, small_bundle, dicom):
    said = cxrnet("inspect", dicom(Modality="CT"), "--bundle", small_bundle, "--json")
    assert json.loads(said.out)["gate"][0].startswith("refuses: NOT_CHEST: modality is CT")


def test_inspect_takes_the_model_of_the_package(cxrnet, chest, monkeypatch, tmp_path):
    monkeypatch.setenv("CXRNET_HOME", str(tmp_path))
    said = cxrnet("inspect", chest)
    assert said.code == 0
    assert "(bundle covid)" in said.out


def test_inspect_exits_2_for_a_file_it_cannot_read(cxrnet, tmp_path):
    (tmp_path / "x.png").write_text("no picture")
    said = cxrnet("inspect", tmp_path / "x.png")
    assert said.code == 2
    assert said.err.startswith("ERROR x.png: the file is not in a known image format")
