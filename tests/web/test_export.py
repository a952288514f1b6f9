import base64
import gzip
import hashlib
import json
import re

import pytest

from cxrnet.errors import BundleError, MissingExtraError, OutputError
from cxrnet.model.registry import open_bundle
from cxrnet.model.session import optimise
from cxrnet.web import export
from cxrnet.web.page_model import describe_model
from cxrnet.web.static_files import NAMES, read_static


def held(page, name):
    packed = re.search(rf'<script type="application/gzip" id="data-{re.escape(name)}">([^<]*)</script>', page)[1]
    return gzip.decompress(base64.b64decode(packed))


def test_single_file_holds_everything(covid, static):
    page = export.render_file(covid, static).decode()
    assert held(page, "worker.js") == static["worker.js"]
    assert held(page, "graph.onnx") == optimise(covid.folder / "graph.onnx")
    assert json.loads(held(page, "model.json"))["sha256"] == covid.sha256
    assert "<style>style.css</style>" in page
    assert page.endswith("<script>app.js</script></body></html>")


def test_second_model_has_files_of_its_own(covid, static):
    page = export.render_file(covid, static, open_bundle("chest4")).decode()
    assert json.loads(held(page, "model.json"))["other"]
    assert json.loads(held(page, "other-model.json"))["name"] == "chest4"
    assert held(page, "other-graph.onnx") == optimise(open_bundle("chest4").folder / "graph.onnx")


def test_policy_of_the_single_file_forbids_connections_and_names_its_script(covid, static):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', export.render_file(covid, static).decode())[1]
    script = base64.b64encode(hashlib.sha256(b"app.js").digest()).decode()
    assert f"script-src 'sha256-{script}'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy


def test_script_that_would_end_its_own_element_is_refused(covid, static):
    with pytest.raises(RuntimeError, match="end of its own element"):
        export.render_file(covid, static | {"app.js": b"'</script>'"})


def test_folder_holds_page_model_and_headers(covid, static, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "read_static", lambda: static)
    export.export_folder(covid, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {*NAMES, "graph.onnx", "view.onnx", "model.json", "_headers"}
    export.export_folder(covid, tmp_path / "out")  # a second time over the first


def test_folder_with_other_files_is_refused(covid, static, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "read_static", lambda: static)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else"):
        export.export_folder(covid, tmp_path)


def test_bundle_without_classifier_is_refused():
    with pytest.raises(BundleError, match="no classifier"):
        describe_model(open_bundle("lungs"))


def test_model_record_is_json_with_the_limits_of_the_gate(covid):
    record = json.loads(json.dumps(describe_model(covid)))
    assert record["classes"] == ["covid", "non-covid"]
    assert record["gate"]["view_limits"].keys() == {"least_frontal", "doubted_frontal", "unlike"}
    assert record["gate"]["max_clipping"] > record["gate"]["doubted_clipping"]
    assert "CHEST" in record["terms"]["known"]
    assert "CHEST" not in record["terms"]["other_parts"]
    assert "CR" in record["terms"]["whole_values"]["Modality"]


def test_missing_page_says_how_to_build_it(tmp_path):
    with pytest.raises(MissingExtraError, match="make web"):
        read_static(tmp_path)
