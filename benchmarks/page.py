"""Measure the page in Chromium: ready time, time and memory by image, HTTP API, 500 files with a killed service.

    python -m benchmarks.page [ready image memory api drop]

Needs the built page (`make web`), Chromium and Playwright. It prints one line per figure; run it on a quiet machine.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
from playwright.sync_api import sync_playwright
from pydicom.data import get_testdata_file
from tests.web.browser import CHROMIUM, hosted

from cxrnet.model.registry import open_bundle
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web.export import export_file, export_folder

READY = "html[data-ready=true]"
FRAME = """async () => {
  const start = performance.now();
  document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true}));
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
  return performance.now() - start;
}"""

# Playwright polls at up to half a second, so that the page keeps the time itself.
CLOCK = """count => {
  document.addEventListener("change", () => {
    const start = performance.now();
    window.screenedAfter = new Promise((resolve) => {
      const watch = new MutationObserver(() => {
        if (!document.body.innerText.includes(`${count} of ${count} screened`)) return;
        watch.disconnect();
        resolve(performance.now() - start);
      });
      watch.observe(document.body, {subtree: true, childList: true, characterData: true});
    });
  }, {capture: true, once: true});
}"""


def say(name, values, unit="s"):
    """Print the median and the range of a figure."""
    values = sorted(values)
    middle = statistics.median(values)
    print(f"{name}: median {middle:.3g} {unit}, {values[0]:.3g} to {values[-1]:.3g} ({len(values)} times)", flush=True)


@contextmanager
def opened(browser, address, *, offline=False):
    """Give a ready page and the seconds that it took."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=offline)
    page = context.new_page()
    start = time.perf_counter()
    page.goto(address)
    page.locator(READY).wait_for(timeout=60_000)
    yield page, time.perf_counter() - start
    context.close()


def give(page, files, before=0):
    """Add files and return the seconds until all are screened."""
    page.evaluate(CLOCK, before + len(files))
    page.set_input_files("#file-input", files)
    return page.evaluate("window.screenedAfter") / 1000


def real(name, folder):
    """Return the path of a copy of a file of pydicom."""
    path = folder / name
    path.write_bytes(Path(str(get_testdata_file(name))).read_bytes())
    return path


def children(pid):
    """Return the process and all below it."""
    below = [child for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()]
    return [pid, *(each for child in below for each in children(int(child)))]


def resident_mb(pids):
    """Return the proportional memory of processes, shared pages counted once, in MB."""
    sizes = [re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M) for pid in pids]
    return sum(int(size[1]) for size in sizes if size) / 1024


def cpu_seconds(pids):
    """Return the processor time of processes, all threads, in seconds: the load of a machine moves it less."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def renderers():
    """Return the processes of this Chromium that run pages."""
    found = []
    for pid in children(os.getpid()):
        try:
            if "--type=renderer" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
        except OSError:
            continue  # it has ended
    return found


def measure_ready(browser, folder):
    """From file:// without a network until images can be added."""
    path = folder / "cxrnet.html"
    print(f"one file: {export_file(open_bundle('covid'), path) / 1e6:.2f} MB")
    times = []
    for _ in range(7):
        with opened(browser, path.as_uri(), offline=True) as (_, seconds):
            times.append(seconds)
    say("one file, ready", times)


def measure_image(browser, folder):
    """One image after the other, on one thread and on several, and in the program."""
    path = folder / "cxrnet.html"
    export_file(open_bundle("covid"), path)
    export_folder(open_bundle("covid"), folder / "site")
    files = [real(name, folder) for name in ("RG1_UNCR.dcm", "RG1_J2KR.dcm")]
    with hosted(folder / "site") as address:
        for form, where in (("one file", path.as_uri()), ("folder with threads", address)):
            with opened(browser, where) as (page, _):
                give(page, files)
                for file in files:
                    count = page.locator("#rows tr").count()
                    before = cpu_seconds(renderers())
                    say(f"{form}, {file.name}", [give(page, [file], count + at) for at in range(8)])
                    print(f"  processor time {(cpu_seconds(renderers()) - before) / 8:.3f} s an image", flush=True)
    for threads in (1, 2):
        with Pipeline.load("covid", threads=threads) as pipeline:
            for file in files:
                pipeline.screen(file)
                before = cpu_seconds(children(os.getpid()))
                say(f"program, {threads} threads, {file.name}", [timed(pipeline.screen, file) for _ in range(8)])
                print(
                    f"  processor time {(cpu_seconds(children(os.getpid())) - before) / 8:.3f} s an image", flush=True
                )


def timed(function, *arguments):
    """Return the seconds of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def measure_memory(browser, folder):
    """The renderer over 200 images of 3.4 megapixels."""
    path = folder / "cxrnet.html"
    export_file(open_bundle("covid"), path)
    file = real("RG1_UNCR.dcm", folder)
    with opened(browser, path.as_uri()) as (page, _):
        for count in range(0, 200, 20):
            give(page, [file] * 20, count)
            print(f"after {count + 20} images: renderer {resident_mb(renderers()):.0f} MB", flush=True)


@contextmanager
def served(spool, port=0):
    """Give the address of `cxrnet serve` and its process."""
    command = [sys.executable, "-c", "import sys; from cxrnet.cli import main; sys.exit(main())", "serve"]
    command += ["--port", str(port), "--spool", str(spool), "--max-per-minute", "100000", "--min-free-mb", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[0], process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def measure_api(browser, folder):
    """From the first byte of an upload until the finding is there, against the program in this process."""
    content = real("RG1_UNCR.dcm", folder).read_bytes()
    starts, usable = [], []
    for at in range(5):
        start = time.perf_counter()
        with served(folder / f"start{at}") as (address, _):
            starts.append(time.perf_counter() - start)
            with opened(browser, address):
                usable.append(time.perf_counter() - start)
    say("serve, listening", starts)
    say("serve, page usable", usable)
    uploads, whole, written, direct, batch = [], [], [], [], 24
    with (
        served(folder / "api") as (address, process),
        httpx.Client(base_url=address, timeout=60) as client,
        Pipeline.load("covid") as pipeline,
    ):
        for _ in range(20):
            direct.append(timed(pipeline.screen, folder / "RG1_UNCR.dcm"))
            start = time.perf_counter()
            number = client.post("/api/v1/images", content=content).json()["number"]
            uploads.append(time.perf_counter() - start)
            client.get(f"/api/v1/images/{number}/finding.json?wait=60").raise_for_status()
            whole.append(time.perf_counter() - start)
            client.get(f"/api/v1/images/{number}/maps.npz").raise_for_status()  # once they are there, all files are
            written.append(time.perf_counter() - start)
        say("Pipeline.screen", direct)
        say("API, upload confirmed", uploads)
        say("API, finding there", whole)
        say("API, pixels and maps written", written)
        before, start = cpu_seconds(children(process.pid)), time.perf_counter()
        numbers = [client.post("/api/v1/images", content=content).json()["number"] for _ in range(batch)]
        while client.get(f"/api/v1/images/{numbers[-1]}").json()["status"] in ("waiting", "screening"):
            time.sleep(0.05)
        print(f"API, {batch} images at once: {batch / (time.perf_counter() - start):.2f} images a second", flush=True)
        print(f"  processor time {(cpu_seconds(children(process.pid)) - before) / batch:.3f} s an image", flush=True)


def measure_drop(browser, folder, count=500):
    """Drop files at once, kill the service in the middle, start it again, and look whether each is there, in order."""
    files = []
    for at in range(count):
        image = cv2.GaussianBlur(np.random.default_rng(at).integers(0, 255, (480, 400 + at), np.uint8), (0, 0), 3)
        files.append(folder / f"{at:03d}.png")
        cv2.imwrite(str(files[-1]), image)
    waits, memory = [], []
    with served(folder / "drop") as (address, process), opened(browser, address) as (page, _):
        page.set_input_files("#file-input", files)
        while (taken := page.locator("#rows tr").count()) < count // 2:
            waits.append(page.evaluate(FRAME))
            memory.append(resident_mb([process.pid]))
        process.kill()
        process.wait()
        print(f"killed with {taken} files in the list")
        with served(folder / "drop", int(address.strip("/").rsplit(":", 1)[1])) as (_, process):
            while page.locator("#rows tr").count() < count:
                waits.append(page.evaluate(FRAME))
                memory.append(resident_mb([process.pid]))
            page.get_by_text(re.compile(r"^(\d+) of \1 screened$")).wait_for(timeout=1_800_000)
            memory.append(resident_mb([process.pid]))
            listed = httpx.get(f"{address}api/v1/images", timeout=60).json()["images"]
            widths = [
                httpx.get(f"{address}api/v1/images/{each['number']}/finding.json", timeout=60).json()["radiograph"][
                    "width"
                ]
                for each in listed
            ]
    missing = {*range(400, 400 + count)} - {*widths}
    print(f"in the list: {len(listed)}; files missing: {len(missing)}; twice: {len(widths) - len({*widths})}")
    print(f"in order: {widths == sorted(widths)}")
    say("interaction to the next frame", waits, "ms")
    print(f"service: {memory[0]:.0f} MB at first, {max(memory):.0f} MB at most, {memory[-1]:.0f} MB at the end")


def main():
    """Measure what is named, or everything."""
    parts = {
        "ready": measure_ready,
        "image": measure_image,
        "memory": measure_memory,
        "api": measure_api,
        "drop": measure_drop,
    }
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name in sys.argv[1:] or parts:
            with tempfile.TemporaryDirectory() as folder:
                parts[name](browser, Path(folder))
        browser.close()


if __name__ == "__main__":
    main()
