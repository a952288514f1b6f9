"""V7-Darwin JSON (paper 2.1.1): an annotation file an image, lungs as polygons, tags for the rest.

    version 1   image.original_filename, width, height; annotations[].polygon.path, additional_paths
    version 2   item.name, item.slots[0]; annotations[].polygon.paths

Points are rounded to pixels, the line counts as inside. "Ignore" regions are not cut out of the lungs. Lateral
images and CT slices are left out by their tags, and whatever has no lung polygon, as the owners advise.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.arrays import Int32
from cxrnet.data.datasets.dataset import IMAGE_ENDINGS, Collection, Entry
from cxrnet.errors import ManifestError

_NOT_FRONTAL = re.compile(r"\b(lateral|sagittal|coronal|axial|ct|computed tomography)\b", re.IGNORECASE)
_LUNG = re.compile(r"lung", re.IGNORECASE)
_FACT = re.compile(r"\s*(patient ?id|view|sex|age)\s*[/:]\s*(.+?)\s*", re.IGNORECASE)
_KERMANY = re.compile(r"(person\d+|IM-\d+)", re.IGNORECASE)
_COVID = re.compile(r"(?<!non-)(?<!non )(?<!no )covid")
_COLUMN = {"patientid": "patient_id", "view": "view", "sex": "sex", "age": "age"}


def find_darwin(folder: Path) -> Collection:
    """The frontal images below `folder` that have a lung polygon."""
    collection = Collection()
    images = _images_by_name(folder)
    annotated = sorted(path for path in folder.rglob("*.json") if not path.name.startswith("."))
    if not annotated:
        raise ManifestError(f"{folder}: holds no JSON file; give the folder of a Darwin export, images and annotations")
    for path in annotated:
        entry = _read_annotation(path, images, collection)
        if entry is not None:
            collection.entries.append(entry)
    return collection


def _read_annotation(path: Path, images: dict[str, Path], collection: Collection) -> Entry | None:
    try:
        content = json.loads(path.read_bytes())
        names, size = _identity(content)
        annotations = content["annotations"]
        tags = [one["name"] for one in annotations if "tag" in one]
        lungs = [one for one in annotations if _LUNG.search(one["name"]) and "tag" not in one]
        outlines = tuple(shape for shape in map(_polygons, lungs) if shape)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        msg = f"{path}: is not Darwin JSON of version 1 or 2 ({type(error).__name__}: {error}); export it again"
        raise ManifestError(msg) from error
    image = next((images[name] for name in (*names, path.stem) if name in images), None)
    if any(_NOT_FRONTAL.search(tag) for tag in tags):
        collection.left_out["tagged as lateral or CT"] += 1
    elif not outlines:
        collection.left_out["no lung polygon"] += 1
    elif image is None:
        collection.left_out["no image file of this name"] += 1
    else:
        return Entry(image=image, values=_values(names[0], tags), outlines=outlines, size=size)
    return None


def _identity(content: dict[str, Any]) -> tuple[list[str], tuple[int, int]]:
    """Names that the image file may have, the owner's first, and its height and width."""
    if "item" in content:
        item, slot = content["item"], content["item"]["slots"][0]
        names = [item["name"], *(file["file_name"] for file in slot.get("source_files", []))]
        return names, (int(slot["height"]), int(slot["width"]))
    image = content["image"]
    names = [image[key] for key in ("original_filename", "filename") if image.get(key)]
    names[0]  # one of them has to be there
    return names, (int(image["height"]), int(image["width"]))


def _polygons(annotation: dict[str, Any]) -> tuple[Int32, ...]:
    """The rings of one annotation, holes among them, each int32 [point, (x, y)]."""
    polygon = annotation.get("polygon") or annotation.get("complex_polygon") or {}
    if "paths" in polygon:
        paths = polygon["paths"]
    else:
        path = polygon.get("path", [])
        paths = path if path and isinstance(path[0], list) else [path, *polygon.get("additional_paths", [])]
    rings = (np.array([[point["x"], point["y"]] for point in path], np.float64) for path in paths)
    return tuple(np.rint(ring).astype(np.int32) for ring in rings if len(ring) >= 3)


def _values(name: str, tags: list[str]) -> dict[str, str]:
    text = " ".join(tags).lower()
    label = "covid" if _COVID.search(text) else "non-covid" if re.search("pneumonia|healthy", text) else ""
    facts = [match for match in map(_FACT.fullmatch, tags) if match]
    values = {"label": label, "source": "darwin", "tags": "; ".join(tags)}
    values |= {_COLUMN[fact[1].lower().replace(" ", "")]: fact[2] for fact in facts}
    kermany = _KERMANY.search(name)
    if not values.get("patient_id"):
        values["patient_id"] = kermany[1].lower() if kermany else ""
    if values["patient_id"]:
        values["patient_id"] = f"darwin:{values['patient_id']}"
    return values


def _images_by_name(folder: Path) -> dict[str, Path]:
    """Image files below `folder` by their name with and without ending."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_ENDINGS and path.is_file():
            found.setdefault(path.name, path)
            found.setdefault(path.stem, path)
    return found
