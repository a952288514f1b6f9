"""What `--save` takes."""

from collections.abc import Collection

from cxrnet.errors import UsageError

SAVES = {
    "json": "finding.json: the record",
    "png": "lungs.png, the mask at the radiograph's own size, and panel.png, the annotated overview image",
    "npz": "maps.npz: lung probability, class maps, heat maps and their spread at the size of the prepared image",
    "npz-full": "maps.npz with the heat maps at the radiograph's own size as well, as float16",
}
"""What `--save` of `cxrnet screen` takes, and what it writes; DICOM objects come from `cxrnet.node.objects`."""

SEGMENT_SAVES = {
    "png": "lungs.png, the mask at the radiograph's own size; always written",
    "overlay": "overlay.png: the radiograph with each region in its colour",
    "npz": "maps.npz: lung probability at the size of the prepared image",
    "seg": "lungs.seg.dcm: a DICOM segment for the lungs, or for each class",
}
"""What `--save` of `cxrnet segment` takes, and what it writes."""


def parse_saves(text: str, known: Collection[str] = tuple(SAVES)) -> frozenset[str]:
    """Return the kinds named in a comma-separated list, all of them `known`."""
    kinds = frozenset(part.strip() for part in text.split(",") if part.strip())
    for kind in sorted(kinds - set(known)):
        raise UsageError(f"--save {kind}: is not known; choose from {', '.join(known)}")
    return kinds
