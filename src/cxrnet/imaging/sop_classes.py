"""What kind of DICOM object a SOP Class UID (0008,0016) names, where that is no still image."""

import re

from pydicom.config import IGNORE
from pydicom.uid import UID

_NEWER_CLASSES = {  # than pydicom's dictionary
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}


def kind_of_object(uid: str) -> str | None:
    """What an object is that is no still image, such as "a Basic Text Structured Report"; None for any other UID.

    The standard's names of images have the word Image; so have those of videos.
    """
    name = _NEWER_CLASSES.get(uid) or UID(uid, validation_mode=IGNORE).name
    if " Storage" not in name or " Commitment " in name or ("Image" in name.split() and "Video" not in name):
        return None
    kind = re.sub(r" Storage( - Trial)?( SOP Class)?$", "", name)
    kind = re.sub(r" SR$", " Structured Report", kind)
    article = "an" if re.match(r"[AEIO]|[FHLMNRSX][A-Z-]", kind) else "a"
    return f"{article} {kind}"
