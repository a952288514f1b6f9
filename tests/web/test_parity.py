"""The page and the program agree, file by file: prepared image, lungs, scores, heat maps, reasons."""

import base64
import json

import numpy as np
import pytest

from cxrnet.errors import RadiographError
from cxrnet.imaging import read_radiograph
from cxrnet.imaging.preprocess import prepare
from cxrnet.screening.pipeline import Pipeline
from tests.web.vectors import FEW, framed, write_vectors

LARGEST = 1e-5
LARGEST_IN_MAPS = 1e-5
GROWN = 0.002
"""Part of the pixels of a prepared image that may differ, by one grey or so, where the image grows on an axis."""

OPEN = """async (preparation) => {
  const bytes = async (name) => (await fetch(name)).arrayBuffer();
  const model = JSON.parse(new TextDecoder().decode(await bytes("model.json")));
  Object.assign(model.preparation, preparation);
  const [wasm, graph, view] = await Promise.all(["ort.wasm", "graph.onnx", "view.onnx"].map(bytes));
  const codecs = ["openjpeg.wasm", "charls.wasm", "libjpegturbo.wasm"];
  const [openjpeg, charls, libjpegturbo] = await Promise.all(codecs.map(bytes));
  const worker = new Worker("worker.js");
  window.ask = (message) => new Promise((resolve, reject) => {
    worker.onmessage = ({data}) => data.kind === "broken" ? reject(new Error(data.why)) : resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(message);
  });
  const files = {wasm, graph, view, threads: 1, threadModule: null};
  await window.ask({kind: "open", model, files, codecs: {openjpeg, charls, libjpegturbo}});
}"""
SCREEN = """async ({name, content}) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0)).buffer;
  const {finding, maps, image, vectors} = await window.ask({kind: "screen", number: 1, name, bytes, vectors: true});
  const packed = (array) => {
    const all = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    let text = "";
    for (let at = 0; at < all.length; at += 32768) text += String.fromCharCode(...all.subarray(at, at + 32768));
    return btoa(text);
  };
  return {
    finding,
    curve: image && image.toneCurve,
    prepared: vectors && packed(vectors.prepared),
    lungs: maps && packed(maps.lungProbability),
    heat: vectors && vectors.heatMaps.map((map) => packed(map.values)),
  };
}"""


@pytest.fixture(scope="module")
def page(chromium, page_host):
    """A page of the host that tests open workers in."""
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(page_host)
    yield page
    context.close()


@pytest.fixture(scope="module")
def opened(page):
    """Function from changes of the preparation to a function from a path to what the page makes of the file."""

    def screen(path):
        content = base64.b64encode(path.read_bytes()).decode()
        return page.evaluate(SCREEN, {"name": path.name, "content": content})

    def start(**preparation):
        page.evaluate(OPEN, preparation)
        return screen

    return start


def array(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def differences(path, pipeline, found):
    """Yield what the page makes of a file that the program makes otherwise."""
    try:
        finding = pipeline.screen(path)
    except RadiographError as error:
        if (found["finding"]["status"], found["finding"]["reasons"][0]["code"]) != ("failed", error.code):
            yield f"{found['finding']['status']} {found['finding']['reasons']}, not {error}"
        return
    record, theirs = json.loads(finding.to_json()), found["finding"]
    if theirs["status"] == "failed":
        yield f"failed: {theirs['reasons'][0]['text']}"
        return
    yield from words(record, theirs)
    radiograph = finding.radiograph
    image = pipeline.prepare(radiograph)
    prepared = array(found["prepared"], np.uint8).reshape(image.shape)
    shrinks = all(side >= to for side, to in zip(radiograph.pixels.shape, image.shape, strict=True))
    other = float((prepared != image).mean())
    if other > (0 if shrinks else GROWN):
        yield f"{other:.4%} of the prepared image differ"
    if other == 0:
        yield from numbers(finding, found)


def words(record, theirs):
    """Yield what the two records say otherwise, numbers apart."""
    if list(record) != list(theirs):
        yield f"keys are {list(theirs)}, not {list(record)}"
    for key in (
        "status",
        "reasons",
        "warnings",
        "calibrated",
        "operating_points",
        "uncertain",
        "uncertainty_reason",
        "model",
    ):
        if record[key] != theirs[key]:
            yield f"{key} is {theirs[key]}, not {record[key]}"
    for key in ("sha256", "height", "width", "spacing_mm", "tags", "history"):
        if record["radiograph"][key] != theirs["radiograph"][key]:
            yield f"{key} is {theirs['radiograph'][key]}, not {record['radiograph'][key]}"


def numbers(finding, found):
    """Yield what the networks answer otherwise to the same prepared image."""
    lungs = array(found["lungs"], np.float32).reshape(finding.lung_probability.shape)
    if ((lungs > 0.5) != (finding.lung_probability > 0.5)).any():
        yield "the lungs differ"
    theirs = found["finding"]
    for key in ("scores", "folds", "interval"):
        for name in getattr(finding, key):
            apart = np.abs(np.subtract(theirs[key][name], getattr(finding, key)[name])).max()
            if apart > LARGEST:
                yield f"{key} of {name} differ by {apart:.2g}"
    if finding.heatmaps is not None:
        for ours, text in zip(finding.heatmaps.maps().values(), found["heat"], strict=True):
            one = array(text, np.float32).reshape(ours.shape)
            if not np.array_equal(np.isnan(one), np.isnan(ours)) or np.nanmax(np.abs(one - ours)) > LARGEST_IN_MAPS:
                yield f"a heat map differs by {np.nanmax(np.abs(one - ours)):.2g}"


@pytest.mark.parametrize("names", [pytest.param(FEW, id="few"), pytest.param(None, id="all", marks=pytest.mark.slow)])
def test_page_agrees_with_program_on_every_vector(opened, tmp_path, names):
    wrong = []
    screened = opened()
    with Pipeline.load("covid", threads=1) as pipeline:
        for path in write_vectors(tmp_path, names):
            wrong += [f"{path.name}: {line}" for line in differences(path, pipeline, screened(path))]
    assert wrong == []


@pytest.mark.parametrize("depth", ["8-bit", "full"])
def test_page_equalises_ranks_as_the_program(opened, tmp_path, depth):
    how = {"interpolation": "area", "equalisation": "rank", "depth": depth}
    screened = opened(**how)
    for name, content in framed():
        path = tmp_path / name
        path.write_bytes(content)
        expected = prepare(read_radiograph(path).pixels, **how)
        found = array(screened(path)["prepared"], np.uint8).reshape(expected.shape)
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("key", ["equalisation", "depth", "interpolation"])
def test_page_refuses_a_preparation_that_it_does_not_know(opened, key):
    with pytest.raises(Exception, match=f'preparation.{key} is "other"'):
        opened(**{key: "other"})
