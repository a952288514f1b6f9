"""What is written for one image: record, pictures, arrays; each file whole or not there."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from cxrnet.arrays import AnyArray, Float32, UInt8
from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.finding import Finding
from cxrnet.screening.heatmap import first_minus_second
from cxrnet.screening.panel.panel import PanelContent, draw_panel
from cxrnet.screening.pipeline import Segmentation, lungs_at
from cxrnet.screening.png import encode_png

SAVES = {
    "json": "finding.json: the record",
    "png": "lungs.png, the mask at the radiograph's own size, and panel.png, the picture that explains the score",
    "npz": "maps.npz: lung probability, class maps, heat maps and their spread at the size of the prepared image",
    "npz-full": "maps.npz with the heat maps at the radiograph's own size as well, as float16",
}
"""What `--save` takes, and what it writes."""

RECORD = "finding.json"
WRITTEN = (
    RECORD, "lungs.png", "panel.png", "maps.npz",
    "lungs.seg.dcm", "heatmap.seg.dcm", "report.sr.dcm", "panel.sc.dcm", "contours.gsps.dcm",
)  # fmt: skip
"""Names of all files that one image can have, the record first; DICOM objects are made by the room `hospital`."""

VIEW = 600
"""Longest side in pixels of what a panel is drawn from; its largest tile, the film of a refusal, has 560."""


def parse_saves(text: str, further: Collection[str] = ()) -> frozenset[str]:
    """Return the kinds named in a comma-separated list, of `SAVES` and of what `further` adds.

    Raises:
        UsageError: One is not known.
    """
    kinds = frozenset(part.strip() for part in text.split(",") if part.strip())
    for kind in sorted(kinds - SAVES.keys() - set(further)):
        raise UsageError(f"--save {kind}: is not known; choose from {', '.join((*SAVES, *further))}")
    return kinds


def write_finding(finding: Finding, folder: Path, save: Collection[str]) -> None:
    """Write what `save` names of `SAVES` for one finding; the record comes last, when all else is there.

    Raises:
        OutputError: The disk cannot take it.
    """
    if finding.radiograph is not None and finding.lung_probability is not None:
        if "png" in save:
            write_atomic(folder / "lungs.png", lungs_png(finding.lung_probability, finding.radiograph))
            write_atomic(folder / "panel.png", encode_png(draw_panel(panel_content(finding))))
        if {"npz", "npz-full"} & set(save):
            write_atomic(folder / "maps.npz", encode_npz(arrays(finding, full="npz-full" in save)))
    if "json" in save:
        write_atomic(folder / RECORD, finding.to_json().encode("utf-8", "backslashreplace"))


def clear(folder: Path) -> None:
    """Remove the results of an earlier run for one image, the record first, so that none stands for another image.

    Raises:
        OutputError: One cannot be removed.
    """
    if folder.is_dir():
        for name in WRITTEN:
            remove(folder / name)
        remove_partial_files(folder)


def write_segmentation(segmentation: Segmentation, folder: Path, save: Collection[str]) -> None:
    """Write the lung mask as `lungs.png` and, with `npz`, the lung probability as `maps.npz`.

    Raises:
        OutputError: The disk cannot take it.
    """
    if "npz" in save:
        write_atomic(folder / "maps.npz", encode_npz({"lung_probability": segmentation.probability}))
    write_atomic(folder / "lungs.png", lungs_png(segmentation.probability, segmentation.radiograph))


def lungs_png(probability: Float32, radiograph: Radiograph) -> bytes:
    """Return the lung mask, 0 or 255, at the size of the radiograph, as PNG."""
    return encode_png(lungs_at(probability, *radiograph.pixels.shape).astype(np.uint8) * 255)


def panel_content(finding: Finding) -> PanelContent:
    """Return what the panel of a scored or refused finding shows."""
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    assert finding.status != "failed"
    view = shrink(finding.radiograph, VIEW)
    height, width = view.shape
    heatmaps = {} if finding.heatmaps is None else finding.heatmaps.maps(height, width)
    return PanelContent(
        name=finding.radiograph.name,
        source_size=(finding.radiograph.pixels.shape[0], finding.radiograph.pixels.shape[1]),
        radiograph=view,
        lungs=lungs_at(finding.lung_probability, height, width),
        status=finding.status,
        reasons=finding.reasons,
        scores=finding.scores,
        folds=finding.folds,
        interval=finding.interval,
        doubt=finding.doubt,
        heatmaps=heatmaps,
        difference=first_minus_second(heatmaps),
        model=f"{finding.model['name']} {finding.model['version']} ({finding.model['sha256'][:8]})",
        lung_area_fraction=finding.lung_area_fraction or 0.0,
        is_calibrated=finding.is_calibrated,
    )


def shrink(radiograph: Radiograph, longest: int) -> UInt8:
    """Return a radiograph as its file wants it shown, uint8 [height, width], its longest side at most `longest`."""
    factor = min(1.0, longest / max(radiograph.pixels.shape))
    height, width = (max(1, round(side * factor)) for side in radiograph.pixels.shape)
    small = cv2.resize(radiograph.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(radiograph.displayed(np.asarray(small, np.float32))).clip(0, 255).astype(np.uint8)


def arrays(finding: Finding, *, full: bool) -> dict[str, AnyArray]:
    """Return the arrays of `maps.npz` by name; see the glossary."""
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    found: dict[str, AnyArray] = {"lung_probability": finding.lung_probability}
    if finding.heatmaps is None:
        return found
    maps = finding.heatmaps
    found |= {"lung_mask": maps.lung_mask, "class_maps": maps.class_maps, "fold_maps": maps.fold_maps}
    found |= {f"heatmap_{name}": one for name, one in maps.maps().items()}
    found |= {f"spread_{name}": one for name, one in maps.spread().items()}
    if full:
        size = finding.radiograph.pixels.shape
        found |= {f"heatmap_{name}_full": one.astype(np.float16) for name, one in maps.maps(*size).items()}
    return found


def encode_npz(content: dict[str, AnyArray]) -> bytes:
    """Return arrays as a compressed .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **content)  # type: ignore[arg-type]  # numpy's stub takes the names for options
    return buffer.getvalue()
