import builtins
import re
from pathlib import Path

import pytest

from cxrnet import node
from cxrnet.errors import MissingExtraError
from cxrnet.node.objects import FILES, OBJECTS, check_installed, write_objects
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.outputs import WRITTEN
from cxrnet.screening.saves import SAVES
from tests.node.objects.conftest import refused


def test_every_file_is_of_a_kind_and_cleared_before_a_run():
    assert set(FILES.values()) == set(OBJECTS)
    assert set(FILES) <= set(WRITTEN)
    assert not OBJECTS.keys() & SAVES.keys()


def test_a_refused_xray_gets_no_heat_map_and_loses_an_old_one(usual, tmp_path):
    path, finding, _ = usual
    first = write_objects(finding, path, {"seg", "png", "json"}, tmp_path / "out").paths
    assert [each.name for each in first] == ["lungs.seg.dcm", "heatmap.seg.dcm"]
    paths = write_objects(refused(finding), path, OBJECTS, tmp_path / "out").paths
    assert [each.name for each in paths] == [name for name in FILES if name != "heatmap.seg.dcm"]
    assert not (tmp_path / "out" / "heatmap.seg.dcm").exists()


def test_a_failed_input_gets_none(pipeline, tmp_path):
    failed = Finding.failed("x.dcm", Reason("NO_PIXELS", "x.dcm: no pixels"), pipeline.bundle)
    assert write_objects(failed, tmp_path / "x.dcm", OBJECTS, tmp_path / "out").paths == ()
    assert not (tmp_path / "out").exists()


def test_a_missing_library_is_one_line_that_names_the_extra(monkeypatch):
    whole = builtins.__import__

    def without(name, *rest, **more):
        if name == "cxrnet.node.objects.build":
            raise ModuleNotFoundError("No module named 'highdicom'", name="highdicom")
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"highdicom is not installed; pip install 'cxrnet\[dicom\]'"):
        check_installed()


def test_the_page_names_every_kind_and_file():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "dicom-objects.md").read_text()
    for name in (*FILES, *OBJECTS):
        assert f"`{name}`" in page


def test_the_pages_name_every_reason_why_there_are_none():
    sources = Path(node.objects.__file__).parent.glob("*.py")
    codes = {code for path in sources for code in re.findall(r'ObjectError\(\s*"([A-Z_]+)"', path.read_text())}
    assert codes == {"NOT_DICOM", "NO_UID", "CHANGED", "NO_FILE", "UNREADABLE"}
    for page in ("dicom-objects.md", "codes.md"):
        text = (Path(__file__).parents[3] / "docs" / "reference" / page).read_text()
        assert not [code for code in codes if f"`{code}`" not in text]
