"""Where the time goes inside the graph that screens, by ONNX Runtime's profiler."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from cxrnet.arrays import UInt8
from cxrnet.model.bundle import GRAPH, Bundle
from cxrnet.model.session import Session
from cxrnet.nn.network import scattered_size

SKIPPED = 2
"""First runs that do not count."""


def time_inside(bundle: Bundle, image: UInt8, *, runs: int, threads: int | None = None) -> dict[str, float]:
    """Return the milliseconds of the graph's nodes, medians summed by part: `module 1`, `scattering`, `folds`.

    A node belongs to Module 1 where its result is as large as the image, or as the maps of its output stride, to the
    folds where it is as large as the class maps, and otherwise to the scattering transform, whose last maps are counted
    with the folds. The profiler itself takes a little time.
    """
    classifier = bundle.config.classifier
    assert classifier is not None
    size = 2**classifier.scattering.J
    stride = bundle.config.segmenter.output_stride
    large = {image.shape, tuple(side // stride for side in image.shape)}
    small = tuple(side // size for side in scattered_size(classifier, image.shape[0], image.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        session = Session(bundle.folder / GRAPH, threads=threads, profile=os.path.join(folder, "profile")).opened
        for _ in range(runs + SKIPPED):
            session.run(None, {"image": image[None]})
        events = json.loads(Path(session.end_profiling()).read_bytes())
    durations: dict[str, list[float]] = defaultdict(list)
    parts: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            durations[event["name"]].append(event["dur"] / 1000)
            parts[event["name"]] = _part(event["args"], large, small)
    found = {"module 1": 0.0, "scattering": 0.0, "folds": 0.0}
    for name, times in durations.items():
        found[parts[name]] += median(times[SKIPPED:])
    return found


def _part(arguments: dict[str, Any], large: set[tuple[int, ...]], small: tuple[int, ...]) -> str:
    shapes = [shape for output in arguments.get("output_type_shape", []) for shape in output.values()]
    shape = tuple(shapes[0]) if shapes else ()
    if large & {shape[-2:], shape[-3:-1]}:  # the second in the blocked layout
        return "module 1"
    return "folds" if small in (shape[-2:], shape[-3:-1]) else "scattering"
