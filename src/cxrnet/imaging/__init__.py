"""From any file to a `Radiograph`, and from a `Radiograph` to a prepared image."""

from cxrnet.imaging.decoding import Decoder, read_radiograph
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph

__all__ = ["Decoder", "Fault", "Limits", "Radiograph", "read_radiograph"]
