"""Lungs and heat map as Segmentation objects (PS3.3 A.51), at the rows and columns of the image in the file."""

from typing import Any, Final

import highdicom as hd
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from cxrnet.arrays import AnyArray
from cxrnet.node.objects.geometry import as_stored
from cxrnet.node.objects.identity import DISCLAIMER, Identity, ascii_text, coding_schemes, private_code
from cxrnet.screening.panel.colour import FOLD, HEART, OUTLINE, WARNING
from cxrnet.screening.segmentation import lungs_at

LUNG: Final = codes.SCT.Lung
OTHER: Final = FOLD
ORGANS: Final = {
    "lungs": ("Lungs", LUNG, OUTLINE),
    "lung": ("Lungs", LUNG, OUTLINE),
    "right lung": ("Right lung", Code("3341006", "SCT", "Right lung"), OUTLINE),
    "left lung": ("Left lung", Code("44029006", "SCT", "Left lung"), WARNING),
    "heart": ("Heart", codes.SCT.Heart, HEART),
}
"""Class of a segmenter -> label, code (SNOMED CT) and colour of its segment."""

LEVELS: Final = 255
"""Maximum Fractional Value (0062,000E) of a heat map."""


def lungs(identity: Identity) -> Segmentation:
    """The lung mask as one binary segment, the same pixels as `lungs.png` except for rotations that were corrected.

    Of a segmenter of more than two classes each but the background is a segment, with the pixels of `labels.png`.
    """
    finding = identity.finding
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    size, anatomy = finding.radiograph.pixels.shape, finding.anatomy
    names = ("lungs",) if anatomy is None else anatomy.classes[1:]
    return _segmentation(
        identity,
        lungs_at(finding.lung_probability, *size) if anatomy is None else anatomy.labels(*size),
        [_organ(identity, number, name) for number, name in enumerate(names, start=1)],
        segmentation_type="BINARY",
        role="seg lungs",
        instance=1,
        content_label="LUNGS" if anatomy is None else "ORGANS",
        content_description="Lungs" if anatomy is None else "Lungs and other organs",
    )


def _organ(identity: Identity, number: int, name: str) -> SegmentDescription:
    """The description of the segment of a class; a name that is not known gets a private code."""
    is_refused = identity.finding.status == "refused"
    label, code, colour = ORGANS.get(name, (name.capitalize(), None, OTHER))
    segment = SegmentDescription(
        segment_number=number,
        segment_label=ascii_text(f"{label}, image refused" if is_refused else label)[:64],
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=private_code(f"ORGAN-{name}"[:16], name) if code is None else code,
        algorithm_type="AUTOMATIC",
        algorithm_identification=identity.algorithm,
        tracking_id=ascii_text(f"cxrnet {name}"),
        tracking_uid=identity.uid(f"tracking {name}"),
        display_color=hd.color.CIELabColor.from_rgb(*colour),
    )
    if code is LUNG:
        segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            hd.sr.CodedConcept.from_code(codes.SCT.RightAndLeft)
        ]
    which = "Both lungs" if code is LUNG else label
    status = "refused by the gate, no score" if is_refused else f"where Module 1 says {name.removesuffix('s')}"
    segment.SegmentDescription = ascii_text(f"{which}, {status}. {DISCLAIMER}.")
    return segment


def heatmap(identity: Identity) -> Segmentation:
    """The heat map as a fractional segment: of two classes the first, whose counterpart says the same, else all.

    The fractions are those of the heat map, 0 weakest to 1 strongest within the lungs of this image, and 0 outside.
    They are not probabilities of disease; PROBABILITY is the nearer of the two types that the standard has.
    """
    finding = identity.finding
    assert finding.radiograph is not None
    assert finding.heatmaps is not None
    maps = finding.heatmaps.maps(*finding.radiograph.pixels.shape)
    names = list(maps) if len(maps) > 2 else list(maps)[:1]
    values = np.stack([np.nan_to_num(maps[name], nan=0.0) for name in names], axis=-1)
    segments = [_heat(identity, number, name) for number, name in enumerate(names, start=1)]
    return _segmentation(
        identity,
        values[None].astype(np.float32),
        segments,
        segmentation_type="FRACTIONAL",
        fractional_type="PROBABILITY",
        max_fractional_value=LEVELS,
        role="seg heatmap",
        instance=2,
        content_label="HEATMAP",
        content_description="Heat map, relative within this image",
    )


def _heat(identity: Identity, number: int, name: str) -> SegmentDescription:
    segment = SegmentDescription(
        segment_number=number,
        segment_label=ascii_text(f"Heat map of {name}")[:64],
        segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.GradientWeightedClassActivation,
        algorithm_type="AUTOMATIC",
        algorithm_identification=identity.algorithm,
        tracking_id=ascii_text(f"cxrnet heat map {name}"),
        tracking_uid=identity.uid(f"tracking heat map {name}"),
        display_color=hd.color.CIELabColor.from_rgb(*WARNING),
    )
    score = identity.finding.scores[name]
    segment.SegmentDescription = ascii_text(
        f"Where the score of {name}, {score:.4f}, comes from: 0 weakest, {LEVELS} strongest within the lungs of this "
        f"image; not a probability, not an outline of disease, not comparable between images. {DISCLAIMER}."
    )
    return segment


def _segmentation(
    identity: Identity,
    image: AnyArray,
    segments: list[SegmentDescription],
    *,
    role: str,
    instance: int,
    **options: Any,
) -> Segmentation:
    assert identity.finding.radiograph is not None
    turned = identity.finding.radiograph.turned
    stored = as_stored(image, turned) if image.ndim == 2 else as_stored(image[0], turned)[None]
    made = Segmentation(
        source_images=[identity.source.reference],
        pixel_array=stored,
        segment_descriptions=segments,
        omit_empty_frames=False,
        coding_schemes=coding_schemes(),
        **identity.series("seg", instance=instance, role=role),
        **options,
    )
    # Type 2C where there is no Image Orientation (Patient); highdicom leaves it out (PS3.3 C.7.6.1).
    made.PatientOrientation = list(identity.source.orientation)
    dimensions = identity.uid(f"dimensions {role}")
    made.DimensionOrganizationSequence[0].DimensionOrganizationUID = dimensions
    for index in made.DimensionIndexSequence:
        index.DimensionOrganizationUID = dimensions
    return made
