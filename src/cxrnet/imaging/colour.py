"""DICOM images that are grey but stored in colour: RGB, YBR and PALETTE COLOR with equal red, green and blue."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from cxrnet.arrays import AnyArray
from cxrnet.imaging.radiograph import Fault, fault, refusing

PALETTE = "PALETTE COLOR"
COLOURS = (
    "RGB", PALETTE, "HSV", "ARGB", "CMYK", "XYB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420",
    "YBR_ICT", "YBR_RCT",
)  # fmt: skip
PALETTE_KEYWORDS = tuple(
    f"{segmented}{channel}PaletteColorLookupTable{part}"
    for channel in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_READABLE = ("RGB", PALETTE, "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_TOLERANCE = 4 / 255  # of the whole range: what conversion from YBR and lossy compression leave of a grey


def samples_of(photometric: str, name: str) -> int:
    """Values of each pixel, 1 or 3, of an image of this Photometric Interpretation (0028,0004).

    Raises:
        RadiographError: COLOUR for one that is not read even where it is grey.
    """
    if photometric in COLOURS and photometric not in _READABLE:
        problem = f"photometric interpretation is {photometric}"
        raise fault(Fault.COLOUR, name, problem, "a chest radiograph is MONOCHROME1 or MONOCHROME2")
    return 3 if photometric in COLOURS and photometric != PALETTE else 1


def grey_of(values: AnyArray, dataset: Dataset, photometric: str, name: str) -> AnyArray:
    """The grey values [height, width] of a colour image whose channels are equal.

    Args:
        values: [height, width, 3], or [height, width] for a palette.
        dataset: The header.
        photometric: Of `COLOURS`.
        name: The input, for messages.

    Raises:
        RadiographError: COLOUR where they are not; UNREADABLE for a damaged palette.
    """
    if photometric == PALETTE:
        with refusing(name, "reading the palette"):
            values = apply_color_lut(values, dataset)
    channels = values[..., :3].astype(np.int64)
    if np.ptp(channels, axis=-1).max() > _TOLERANCE * max(1, int(channels.max())):
        problem = f"photometric interpretation is {photometric}, and red, green and blue differ"
        raise fault(Fault.COLOUR, name, problem, "a chest radiograph is grey")
    return values[..., 1]
