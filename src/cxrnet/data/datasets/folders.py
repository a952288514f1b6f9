"""A folder a class, as most sets on Kaggle come.

    CLASS/x.png
    CLASS/images/x.png, CLASS/masks/x.png          masks named like their images, also in `lung masks`
    train/CLASS/..., val/CLASS/..., test/CLASS/... splits, where these are the only folders

The files tell no patients: every image is taken for a patient of its own unless a column is added by hand.
"""

from pathlib import Path

from cxrnet.data.datasets.dataset import Collection, Entry, images_in
from cxrnet.errors import ManifestError

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_MASKS = ("masks", "mask", "lung masks")


def find_folders(folder: Path) -> Collection:
    """The images below `folder`, labelled with the name of their folder."""
    collection = Collection()
    tops = _folders_in(folder)
    has_splits = bool(tops) and all(top.name.lower() in _SPLITS for top in tops)
    for top in tops:
        split = _SPLITS[top.name.lower()] if has_splits else ""
        for category in _folders_in(top) if has_splits else [top]:
            _add_class(category, {"source": folder.name, "split": split}, collection)
    if not collection.entries:
        raise ManifestError(f"{folder}: holds no folder of images; give a folder with one folder a class")
    collection.notes.append(
        "folders tell no patients: each image is a patient of its own; add patient_id if you know it"
    )
    return collection


def _add_class(category: Path, values: dict[str, str], collection: Collection) -> None:
    masks = next((category / name for name in _MASKS if (category / name).is_dir()), None)
    places = [category, *(place for place in _folders_in(category) if place.name.lower() not in _MASKS)]
    for place in places:
        for image in images_in(place, collection):
            mask = masks / image.name if masks else None
            collection.entries.append(
                Entry(
                    image=image,
                    values={"label": category.name, **values},
                    masks=(mask,) if mask and mask.is_file() else (),
                )
            )


def _folders_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ManifestError(f"{folder}: is not a folder; give the folder of the collection")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
