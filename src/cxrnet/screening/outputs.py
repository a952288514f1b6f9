"""The files written for one image: record, images, arrays; each file whole or not there."""

import io
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from cxrnet.arrays import AnyArray, Float32
from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.finding import Finding
from cxrnet.screening.panel.overlay import draw_overlay
from cxrnet.screening.panel.panel import draw_panel
from cxrnet.screening.png import encode_png
from cxrnet.screening.segmentation import Anatomy, Segmentation, lungs_at

RECORD = "finding.json"
WRITTEN = (
    RECORD, "lungs.png", "labels.png", "overlay.png", "panel.png", "maps.npz",
    "lungs.seg.dcm", "heatmap.seg.dcm", "report.sr.dcm", "panel.sc.dcm", "contours.gsps.dcm",
)  # fmt: skip
"""Names of all files that one image can have, the record first; DICOM objects are made by `cxrnet.node.objects`."""


def write_finding(finding: Finding, folder: Path, save: Collection[str]) -> None:
    """Write what `save` names of `SAVES` for one finding; the record comes last, when all else is there."""
    if finding.radiograph is not None and finding.lung_probability is not None:
        if "png" in save:
            write_atomic(folder / "lungs.png", lungs_png(finding.lung_probability, finding.radiograph))
            _write_labels(finding.anatomy, finding.radiograph, folder)
            write_atomic(folder / "panel.png", encode_png(draw_panel(finding)))
        if {"npz", "npz-full"} & set(save):
            write_atomic(folder / "maps.npz", encode_npz(arrays(finding, full="npz-full" in save)))
    if "json" in save:
        write_atomic(folder / RECORD, finding.to_json().encode())


def clear(folder: Path) -> None:
    """Remove the results of an earlier run for one image, the record first, so that none stands for another image."""
    if folder.is_dir():
        for name in WRITTEN:
            remove(folder / name)
        remove_partial_files(folder)


def write_segmentation(segmentation: Segmentation, folder: Path, save: Collection[str]) -> None:
    """Write the lung mask as `lungs.png` and what `save` names of `SEGMENT_SAVES`.

    A segmenter of more than two classes also gives `labels.png` and the array `class_probability`.
    """
    if "npz" in save:
        found = {"lung_probability": segmentation.probability} | _class_arrays(segmentation.anatomy)
        write_atomic(folder / "maps.npz", encode_npz(found))
    if "overlay" in save:
        write_atomic(folder / "overlay.png", encode_png(draw_overlay(segmentation)))
    _write_labels(segmentation.anatomy, segmentation.radiograph, folder)
    write_atomic(folder / "lungs.png", lungs_png(segmentation.probability, segmentation.radiograph))


def lungs_png(probability: Float32, radiograph: Radiograph) -> bytes:
    """Return the lung mask, 0 or 255, at the size of the radiograph, as PNG."""
    return encode_png(lungs_at(probability, *radiograph.pixels.shape).astype(np.uint8) * 255)


def _write_labels(anatomy: Anatomy | None, radiograph: Radiograph, folder: Path) -> None:
    """Write the index of the class of each pixel, at the size of the radiograph, as `labels.png`."""
    if anatomy is not None:
        write_atomic(folder / "labels.png", encode_png(anatomy.labels(*radiograph.pixels.shape)))


def _class_arrays(anatomy: Anatomy | None) -> dict[str, AnyArray]:
    return {} if anatomy is None else {"class_probability": anatomy.probability}


def arrays(finding: Finding, *, full: bool) -> dict[str, AnyArray]:
    """Return the arrays of `maps.npz` by name; see the glossary."""
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    found: dict[str, AnyArray] = {"lung_probability": finding.lung_probability} | _class_arrays(finding.anatomy)
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
    """Return arrays as a .npz file, compressed at level 1: `numpy.savez_compressed` takes twice as long."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in content.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()
