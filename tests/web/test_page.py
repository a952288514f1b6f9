"""The page in a real browser: the single file without a network, and the page of the service."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from cxrnet.model.registry import open_bundle
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web.application import Application
from cxrnet.web.export import export_file
from cxrnet.web.intake import UploadLimits
from cxrnet.web.service import Service
from cxrnet.web.static_files import read_static
from tests.web.browser import serving
from tests.web.vectors import chest as made_up_chest
from tests.web.vectors import dicom as made_up_dicom

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
READY = "html[data-ready=true]"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Files to drop: the radiograph of pydicom that is scored, and ones that are not."""
    from pydicom.data import get_testdata_file

    folder = tmp_path_factory.mktemp("images")
    (folder / "rg1.dcm").write_bytes(Path(str(get_testdata_file("RG1_UNCR.dcm"))).read_bytes())
    foot = made_up_dicom(made_up_chest(bits=12), bits=12, BodyPartExamined="FOOT")
    (folder / "foot.dcm").write_bytes(foot)
    (folder / "letter.txt").write_text("no image")
    return [folder / name for name in ("rg1.dcm", "foot.dcm", "letter.txt")]


@pytest.fixture
def page(chromium, page_file):
    """The single file, opened without a network; nothing may go wrong in its script."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, offline=True, accept_downloads=True)
    opened = context.new_page()
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(page_file.as_uri())
    opened.locator(READY).wait_for(timeout=90_000)
    yield opened
    context.close()
    assert errors == []


def give(page, images):
    page.set_input_files("#file-input", images)
    page.get_by_text(f"{len(images)} of {len(images)} screened").wait_for(timeout=90_000)


def test_single_file_screens_shows_and_saves_without_a_network(page, images):
    give(page, images)
    finding = page.locator("#finding-content")
    finding.get_by_text("95 % over folds").first.wait_for()
    page.keyboard.press("1")
    page.locator("#colour-bar").wait_for()
    assert page.locator("[data-map=covid]").get_attribute("aria-pressed") == "true"
    page.keyboard.press(" ")
    page.locator("#colour-bar").wait_for(state="hidden")
    with page.expect_download() as saved:
        page.locator("#save-json").click()
    record = json.loads(Path(saved.value.path()).read_text())
    with Pipeline.load("covid") as pipeline:
        expected = pipeline.screen(images[0])
    assert record["scores"]["covid"] == pytest.approx(expected.scores["covid"], abs=1e-5)
    page.keyboard.press("ArrowDown")
    finding.get_by_text("Body part is FOOT").wait_for()
    finding.get_by_text("Give a frontal chest radiograph").wait_for()
    page.keyboard.press("ArrowDown")
    finding.get_by_text("not in a known image format").wait_for()


def test_worklist_filters_and_sorts(page, images):
    give(page, images)
    page.locator("#filter").select_option("refused")
    assert page.locator("#rows td.name").all_inner_texts() == ["foot.dcm"]
    page.locator("#filter").select_option("")
    score = page.locator("td.score", has_text="0.")
    assert score.evaluate("cell => { cell.classList.add('uncertain'); return cell.scrollWidth <= cell.clientWidth; }")
    page.get_by_role("button", name="Image", exact=True).click()
    assert page.locator("#rows td.name").all_inner_texts() == ["foot.dcm", "letter.txt", "rg1.dcm"]


def test_dragging_changes_the_window_and_reset_brings_it_back(page, images):
    give(page, images[:1])
    state = page.locator("#state")
    state.get_by_text("window").wait_for()
    before = state.inner_text()
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 290, box["y"] + 240)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert state.inner_text() != before
    page.keyboard.press("r")
    page.wait_for_timeout(100)
    assert state.inner_text() == before


def test_turning_is_shown_and_reset_ends_it(page, images):
    give(page, images[:1])
    state = page.locator("#state")
    page.keyboard.press("t")
    state.get_by_text("turned 90°").wait_for()
    page.locator("#turn").click()
    state.get_by_text("turned 180°").wait_for()
    page.keyboard.press("r")
    state.filter(has_not_text="turned").wait_for()


def test_an_image_stays_next_to_the_following_ones(page, images):
    give(page, images[:2])
    page.keyboard.press("c")
    page.keyboard.press("ArrowDown")
    page.locator("#second-name").get_by_text("covid 0.").wait_for()
    page.locator("#stage-name").get_by_text("refused NOT_CHEST").wait_for()
    page.locator("#compare").click()
    page.locator("#second").wait_for(state="hidden")


def test_second_model_shows_its_finding_on_the_second_stage(chromium, built, covid, images, tmp_path):
    path = tmp_path / "two.html"
    export_file(covid, path, other=open_bundle("chest4"))
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    page.locator(READY).wait_for(timeout=90_000)
    give(page, images[:1])
    page.keyboard.press("m")
    text = page.locator("#second-name")
    text.get_by_text("chest4").wait_for()
    with Pipeline.load("chest4") as pipeline:
        expected = pipeline.screen(images[0])
    assert all(f"{name} {score:.3f}" in text.inner_text() for name, score in expected.scores.items())
    context.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_serious_fault_of_accessibility(chromium, page_file, images, theme):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; run `make test-web`")
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.locator(READY).wait_for(timeout=90_000)
    if theme == "light":
        page.locator("#theme").click()
    give(page, images)
    page.keyboard.press("1")
    page.add_script_tag(path=AXE)
    found = page.evaluate("async () => (await axe.run()).violations")
    context.close()
    serious = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []


@contextmanager
def served(pipeline, spool, other=None):
    """Give the address of a running service."""
    limits = UploadLimits(free_bytes=0)
    with (
        Service(spool, pipeline, other=other, limits=limits) as service,
        serving(Application(service, read_static())) as address,
    ):
        yield address
        service.stopping.set()


def test_service_screens_what_is_dropped_and_has_it_after_a_restart(chromium, built, images, tmp_path):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    with Pipeline.load("covid") as pipeline:
        score = pipeline.screen(images[0]).scores["covid"]
        with served(pipeline, tmp_path / "spool") as address:
            page.goto(address)
            page.locator(READY).wait_for(timeout=90_000)
            give(page, images)
            page.locator("#finding-content").get_by_text("95 % over folds").first.wait_for()
            page.keyboard.press("3")
            page.locator("#colour-bar").wait_for()
        with served(pipeline, tmp_path / "spool") as address:
            page.goto(address)
            page.get_by_text("3 of 3 screened").wait_for()
            assert page.locator("#rows tr").first.inner_text().split() == ["image", "1", "Scored", f"{score:.3f}"]
    context.close()


def test_service_shows_what_the_second_model_finds_and_has_it_after_a_restart(chromium, built, images, tmp_path):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    text = page.locator("#second-name")
    with Pipeline.load("covid") as pipeline, Pipeline.load("chest4") as other:
        expected = other.screen(images[0])
        shown = ", ".join(f"{name} {score:.3f}" for name, score in expected.scores.items())
        with served(pipeline, tmp_path / "spool") as address:
            page.goto(address)
            page.locator(READY).wait_for(timeout=90_000)
            give(page, images[1:2])
            assert page.locator("#other-model").is_hidden()
        with served(pipeline, tmp_path / "spool", other) as address:
            page.goto(address)
            page.get_by_text("1 of 1 screened").wait_for()
            page.keyboard.press("m")
            text.get_by_text("has no such result of a second model").wait_for()
            page.set_input_files("#file-input", images[0])
            page.get_by_text("2 of 2 screened").wait_for(timeout=90_000)
            page.keyboard.press("ArrowDown")
            text.get_by_text(shown).wait_for()
        with served(pipeline, tmp_path / "spool", other) as address:
            page.goto(address)
            page.get_by_text("2 of 2 screened").wait_for()
            page.keyboard.press("ArrowDown")
            page.locator("#finding-content").get_by_text("95 % over folds").first.wait_for()
            page.keyboard.press("m")
            text.get_by_text(shown).wait_for()
            before = painted(page)
            page.keyboard.press("1")
            page.locator("#colour-bar").wait_for()
            assert painted(page) > before  # the class that both models have
            page.locator("#other-model").click()
            page.locator("#second").wait_for(state="hidden")
    context.close()


def painted(page):
    """Return the number of pixels of the second stage's overlay that are not transparent."""
    return page.evaluate(
        """() => {
          const canvas = document.getElementById("second-overlay");
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, at) => at % 4 === 3 && value > 0).length;
        }"""
    )
