"""What names an object and its maker: UIDs that are the same at every run, series, equipment, algorithm."""

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Final

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from cxrnet.node.objects.source import Source
from cxrnet.screening.finding import Finding

DISCLAIMER: Final = "Research use only, not for clinical use"
"""What every object says of itself, in its series description and where people see it."""

MANUFACTURER: Final = "The cxrnet developers"
CODING_SCHEME: Final = "99CXRNET"
"""Coding scheme of what the standard has no code for; private, as the 99 says (PS3.16 8)."""

_NAMESPACE = uuid.UUID("6f8f2f0c-6d0a-5b0e-9a43-0c5d7e5f2a11")
_SERIES = {"seg": 9101, "sr": 9102, "sc": 9103, "gsps": 9104}
_TITLES = {"seg": "lungs, heat map", "sr": "report", "sc": "panel", "gsps": "contours"}
IMPLEMENTATION: Final = f"2.25.{uuid.uuid5(_NAMESPACE, 'implementation').int}"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Names for the objects of one finding.

    UIDs are made of the image's SOP Instance UID, the checksum of the model and a role, by UUID version 5 under the
    root 2.25 (PS3.5 B.2): a second run gives the same ones, and a PACS replaces what it has and files no double.
    """

    finding: Finding
    source: Source

    @property
    def sha256(self) -> str:
        """Checksum of the model, 64 hexadecimal digits."""
        return self.finding.model["sha256"]

    def uid(self, role: str) -> str:
        """The UID for a role, for example `seg lungs`."""
        made_of = f"{self.source.reference.SOPInstanceUID} {self.sha256} {role}"
        return f"2.25.{uuid.uuid5(_NAMESPACE, made_of).int}"

    @property
    def device_uid(self) -> str:
        """The UID of this model as an observer, whatever it has looked at."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, f'device {self.sha256}').int}"

    def series(self, kind: str, *, instance: int = 1, role: str | None = None) -> dict[str, Any]:
        """What highdicom asks of every object: series, instance, equipment, date and time of the content."""
        date, time = self.source.date_time
        # A presentation state has a date of its own in place of that of its content (PS3.3 C.11.10).
        content_time = {} if kind == "gsps" else {"content_date": date, "content_time": time}
        return {
            "series_instance_uid": self.uid(f"series {kind}"),
            "series_number": _SERIES[kind],
            "series_description": f"cxrnet {_TITLES[kind]} - {DISCLAIMER.lower()}"[:64],
            "sop_instance_uid": self.uid(role or kind),
            "instance_number": instance,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": "cxrnet",
            "software_versions": [version("cxrnet"), ascii_text(self.model)],
            "device_serial_number": self.sha256,
            **content_time,
        }

    @property
    def model(self) -> str:
        """Name and version of the model."""
        return f"{self.finding.model['name']} {self.finding.model['version']}"

    @property
    def parameters(self) -> Mapping[str, str]:
        """What besides name and version tells this model from another."""
        return {"bundle sha256": self.sha256, "cxrnet": version("cxrnet")}

    @cached_property
    def algorithm(self) -> hd.AlgorithmIdentificationSequence:
        """The model as a segmentation names it."""
        return hd.AlgorithmIdentificationSequence(
            name=ascii_text(f"cxrnet {self.finding.model['name']}"),
            family=codes.DCM.ArtificialIntelligence,
            version=ascii_text(self.finding.model["version"]),
            source=MANUFACTURER,
            parameters=dict(self.parameters),
        )


def private_code(value: str, meaning: str) -> CodedConcept:
    """A code of the scheme `CODING_SCHEME`; its meaning is cut to the 64 characters that a code may have."""
    return CodedConcept(value=ascii_text(value), scheme_designator=CODING_SCHEME, meaning=ascii_text(meaning)[:64])


def coding_schemes() -> list[CodingSchemeIdentificationItem]:
    """What `CODING_SCHEME` is (PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    return [
        CodingSchemeIdentificationItem(
            designator=CODING_SCHEME, name="Private codes of cxrnet", responsible_organization=MANUFACTURER
        )
    ]


def ascii_text(text: str) -> str:
    """Text in ASCII, which every character set of DICOM holds; a backslash would part a value in two."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return plain.replace("\\", "/")


def set_laterality(made: Dataset, source: Source) -> None:
    """Say which side of the body a picture shows, type 2C, which highdicom leaves out (PS3.3 C.7.3.1).

    A chest is no paired structure, and has no laterality if it is known to be a chest. Else the value may be empty.
    """
    if source.is_chest:
        made.BodyPartExamined = "CHEST"
    else:
        made.Laterality = source.laterality
