"""The borders of the lungs as a Grayscale Softcopy Presentation State (PS3.3 A.33.1), to be laid over the image."""

from typing import Final

import highdicom as hd
import numpy as np
from highdicom.pr import GraphicAnnotation, GraphicLayer, GraphicObject, GrayscaleSoftcopyPresentationState, TextObject

from cxrnet.node.objects.geometry import as_stored, outlines, parts_by_side
from cxrnet.node.objects.identity import DISCLAIMER, Identity, ascii_text, coding_schemes, set_laterality
from cxrnet.screening.panel.colour import OUTLINE, WARNING
from cxrnet.screening.segmentation import lungs_at

_OPPOSITE: Final = {"left": "right", "right": "left"}
_TEXT_BOX: Final = (0.02, 0.93, 0.98, 0.99)


def contours(identity: Identity) -> GrayscaleSoftcopyPresentationState:
    """Lines around each lung in pixels of the stored image, one layer a side, and the text `DISCLAIMER`.

    The image is shown as the file says, with its own window or table; nothing is rotated or corrected.
    """
    source = identity.source
    layers, annotations = [], []
    for order, (name, lines) in enumerate(_lines(identity).items(), start=1):
        layer = _layer(name, order, OUTLINE)
        objects = [
            GraphicObject(
                "POLYLINE", line, "PIXEL", tracking_id=f"cxrnet {name}", tracking_uid=identity.uid(f"tracking {name}")
            )
            for line in lines
        ]
        layers.append(layer)
        annotations.append(GraphicAnnotation([source.reference], layer, graphic_objects=objects))
    notice = _layer("NOTICE", len(layers) + 1, WARNING)
    text = TextObject(_notice(identity), "DISPLAY", bounding_box=_TEXT_BOX, text_justification="LEFT")
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=[source.reference],
        content_label="LUNGS",
        content_description=f"Borders of the lungs. {DISCLAIMER}.",
        graphic_layers=[*layers, notice],
        graphic_annotations=[*annotations, GraphicAnnotation([source.reference], notice, text_objects=[text])],
        # The polarity of the image does not count under a presentation state (PS3.3 C.11.6.1), which IDENTITY, what
        # highdicom sets, would leave inverted.
        presentation_lut_transformation=hd.PresentationLUTTransformation(
            presentation_lut_shape="INVERSE" if source.is_inverted else "IDENTITY"
        ),
        coding_schemes=coding_schemes(),
        **identity.series("gsps"),
    )
    made.update(source.grey)
    made.PresentationCreationDate, made.PresentationCreationTime = source.date_time
    set_laterality(made, source)
    return made


def _lines(identity: Identity) -> dict[str, list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]]:
    """Lines by the name of their layer."""
    finding = identity.finding
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    parts = parts_by_side(lungs_at(finding.lung_probability, *finding.radiograph.pixels.shape))
    turned = finding.radiograph.turned
    is_known = finding.status == "scored" and turned == 0  # else the attribute is not to be trusted
    orientation = identity.source.orientation if is_known else ()
    return {layer_name(side, orientation): list(outlines(as_stored(part, turned))) for side, part in parts.items()}


def layer_name(side: str, orientation: tuple[str, ...]) -> str:
    """The name of the layer for the lungs on one side of the picture, `left`, `right` or `both`.

    They are called right and left only where the rows of Patient Orientation (0020,0020) run to one of the patient's
    sides, as in a correctly displayed image.
    """
    if side == "both":
        return "LUNGS"
    rows = orientation[0][:1] if orientation else ""
    if rows == "L":
        side = _OPPOSITE[side]
    elif rows != "R":
        return f"IMAGE_{side.upper()}"
    return f"{side.upper()}_LUNG"


def _layer(name: str, order: int, colour: tuple[int, int, int]) -> GraphicLayer:
    return GraphicLayer(name, order, display_color=hd.color.CIELabColor.from_rgb(*colour))


def _notice(identity: Identity) -> str:
    finding = identity.finding
    lines = [f"cxrnet, {identity.model}: lungs. {DISCLAIMER}."]
    if finding.status == "refused":
        lines.append("No score: " + ", ".join(reason.code for reason in finding.reasons) + ".")
    return ascii_text("\r\n".join(lines))
