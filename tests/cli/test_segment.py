from __future__ import annotations


def test_segment_writes_lungs_alone(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 0
    assert "1 image: 1 segmented" in said.out
    assert [path.name for path in (tmp_path / "out" / "chest").iterdir()] == ["lungs.png"]


def test_segment_exits_1_when_an_input_fails(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "nix.png", "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 1
    assert "ERROR NOT_FOUND nix.png" in said.err
