"""Where the time of one finding goes: each stage, median and spread of repeated runs, on RG1 of pydicom-data.

    python benchmarks/stages.py --bundle published-v7 [--runs 20]

Timings are noisy: compare rows of one run with each other, not with another run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

from cxrnet import CxrNetError, Pipeline
from cxrnet.screening.outputs import encode_png, panel_content, write_finding
from cxrnet.screening.panel.panel import draw_panel


def measure(task: Callable[[], object], runs: int) -> list[float]:
    """Return the milliseconds of each run, sorted, after one run that does not count."""
    task()
    times = []
    for _ in range(runs):
        start = perf_counter()
        task()
        times.append((perf_counter() - start) * 1000)
    return sorted(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", default="published-v7")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    film = next(file for file in files("pydicom-data") or () if file.name == "RG1_UNCR.dcm").locate()
    table = Table("stage", "median ms", "fastest", "slowest", box=None)
    with Pipeline.load(options.bundle) as pipeline, tempfile.TemporaryDirectory() as scratch:
        finding = pipeline.screen(str(film))
        radiograph = finding.radiograph
        if radiograph is None or finding.heatmaps is None:
            sys.exit("RG1 was not scored; there is nothing to time")
        content, maps = panel_content(finding), finding.heatmaps
        panel = draw_panel(content)
        stages: dict[str, Callable[[], object]] = {
            "read DICOM, 1841 x 1955, uncompressed": lambda: pipeline.read(str(film)),
            "prepare": lambda: pipeline.prepare(radiograph),
            "Module 1 alone": lambda: pipeline.segment(radiograph),
            "the whole graph and the gate": lambda: pipeline.screen(radiograph),
            "heat maps, 300 x 340": maps.maps,
            "heat maps, 1955 x 1841": lambda: maps.maps(1955, 1841),
            "panel: view and maps": lambda: panel_content(finding),
            "panel: draw": lambda: draw_panel(content),
            "panel: encode as PNG": lambda: encode_png(panel),
            "write finding.json, lungs.png, panel.png": lambda: write_finding(finding, Path(scratch), {"json", "png"}),
            "everything": lambda: write_finding(pipeline.screen(str(film)), Path(scratch), {"json", "png"}),
        }
        for name, task in stages.items():
            times = measure(task, options.runs)
            table.add_row(name, f"{median(times):.1f}", f"{times[0]:.1f}", f"{times[-1]:.1f}")
    console = Console()
    console.print(table)
    console.print(f"{os.cpu_count()} cores, {options.runs} runs, {pipeline.bundle.label}")


if __name__ == "__main__":
    try:
        main()
    except CxrNetError as error:
        sys.exit(f"ERROR {error}")
