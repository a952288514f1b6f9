"""The two tuberculosis sets of the US National Library of Medicine (paper 2.1.1): Montgomery and Shenzhen.

CXR_png/MCUCXR_0001_0.png               _0 normal, _1 tuberculosis; one image a patient
ManualMask/leftMask, rightMask          Montgomery, one file per lung, named like the image
mask/CHNCXR_0001_0_mask.png             Shenzhen, masks of Stirenko and others for 566 of 662 images
ClinicalReadings/MCUCXR_0001_0.txt      sex, age, reading
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from cxrnet.data.datasets.dataset import Collection, Entry, images_in, need_folder

_LABELS = {"0": "normal", "1": "tuberculosis"}
_NAME = re.compile(r"((?:MCU|CHN)CXR_\d+)_([01])")


def find_montgomery(folder: Path) -> Collection:
    """The 138 images of Montgomery County, PA, with left and right lung."""
    left = need_folder(folder, "ManualMask/leftMask", layout="montgomery")
    right = need_folder(folder, "ManualMask/rightMask", layout="montgomery")
    return _find(folder, "montgomery", lambda image: (left / image.name, right / image.name))


def find_shenzhen(folder: Path) -> Collection:
    """The 662 images of Shenzhen No. 3 Hospital; nearly all are PA. Images without a mask are kept."""
    names = ("mask", "masks")
    return _find(folder, "shenzhen", lambda image: _first(folder / name / f"{image.stem}_mask.png" for name in names))


def _find(folder: Path, source: str, masks_of: Callable[[Path], tuple[Path, ...]]) -> Collection:
    collection = Collection()
    without = 0
    for image in images_in(need_folder(folder, "CXR_png", layout=source), collection):
        named = _NAME.fullmatch(image.stem)
        masks = masks_of(image)
        if named is None:
            collection.left_out["a name that tells neither patient nor class"] += 1
        elif source == "montgomery" and not all(mask.is_file() for mask in masks):
            collection.left_out["the mask of a lung is missing"] += 1
        else:
            without += not masks
            values = {
                "label": _LABELS[named[2]],
                "patient_id": f"{source}:{named[1]}",
                "source": source,
                "view": "PA",
                **_reading(folder / "ClinicalReadings" / f"{image.stem}.txt"),
            }
            collection.entries.append(Entry(image=image, values=values, masks=masks))
    if without:
        collection.notes.append(f"{without} images have no mask; they are kept")
    return collection


def _first(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The first of `paths` that is a file, alone, or nothing."""
    return next(((path,) for path in paths if path.is_file()), ())


def _reading(path: Path) -> dict[str, str]:
    """Sex, age in years and the words of a clinical reading, as far as they are there."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    sex = re.search(r"\b(female|male|[FM])\b", text, re.IGNORECASE)
    age = re.search(r"\b0*(\d+)\s*(?:Y|yrs?|years?)\b", text, re.IGNORECASE)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    finding = [line for line in lines if not re.search(r"patient's (sex|age)|^(fe)?male\b", line, re.IGNORECASE)]
    return {
        "sex": sex[1][0].upper() if sex else "",
        "age": age[1] if age else "",
        "finding": " ".join(finding),
    }
