"""The patient data of one image: each value from a table or the caller, else from the DICOM header, else missing."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from cxrnet.arrays import Float32
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.patient import Column, PatientConfig, is_missing

Origin = Literal["csv", "caller", "dicom", "missing"]
Given = Literal["csv", "caller"]

_AGE = re.compile(r"(\d{3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_SEXES = {"M": "male", "F": "female", "O": "other"}
_NO_VALUE = "(unusable)"
"""Stands for a value of a header that does not have the form of the standard."""


class PatientValue(BaseModel):
    """Where one value came from.

    Attributes:
        origin: `csv`, a table of the inputs; `caller`, in Python; `dicom`, the header; `missing`.
        value: As it was given; null unless identifiers were asked for.
    """

    model_config = ConfigDict(frozen=True)

    origin: Origin
    value: str | None = None


class PatientData(NamedTuple):
    """Patient data of one image: `inputs` float32 [input] of the network, `values` by column, `notes` for people."""

    inputs: Float32
    values: dict[str, PatientValue]
    notes: tuple[str, ...]


def find_patient_data(
    config: PatientConfig, radiograph: Radiograph, given: Mapping[str, object], *, given_by: Given
) -> PatientData:
    """Return the patient data of an image; a value that cannot be used counts as missing, which a note says.

    The DICOM header fills the columns `age`, `sex` and `view` that are not given, or are empty.
    """
    if unknown := sorted(set(given) - set(config.names)):
        raise UsageError(f"patient: {', '.join(unknown)} is not known; the model takes {', '.join(config.names)}")
    header, texts = dicom_values(radiograph), dict[str, str]()
    origins: dict[str, Origin] = {}
    for column in config.columns:
        text = "" if given.get(column.name) is None else str(given[column.name]).strip()
        origins[column.name] = given_by
        if is_missing(text):
            text, origins[column.name] = _matching(column, header.get(column.name.casefold(), ())), "dicom"
        texts[column.name] = text
    encoded = config.encode(texts)
    notes = [f"patient data: {name} ({origins[name]}) cannot be used, taken as missing" for name in encoded.unusable]
    if encoded.missing:
        notes.append(f"patient data: {', '.join(encoded.missing)} missing")
    is_shown, values = radiograph.identifiers is not None, dict[str, PatientValue]()
    for name, origin in origins.items():
        if name in (*encoded.missing, *encoded.unusable):
            values[name] = PatientValue(origin="missing")
        else:
            values[name] = PatientValue(origin=origin, value=texts[name] if is_shown else None)
    return PatientData(encoded.inputs, values, tuple(notes))


def dicom_values(radiograph: Radiograph) -> dict[str, tuple[str, ...]]:
    """Return the values that a header has for `age` in years, `sex` and `view`, each in the words a column may use.

    Patient's Age (0010,1010) is `nnnD`, `nnnW`, `nnnM` or `nnnY`; Patient's Sex (0010,0040) M, F or O; View Position
    (0018,5101).
    """
    age, sex = radiograph.patient.get("PatientAge", ""), radiograph.patient.get("PatientSex", "").upper()
    view, found = radiograph.tags.get("ViewPosition", ""), dict[str, tuple[str, ...]]()
    if age:
        match = _AGE.fullmatch(age)
        found["age"] = (repr(int(match[1]) * _YEARS[match[2]]) if match else _NO_VALUE,)
    if sex:
        found["sex"] = (sex, _SEXES[sex]) if sex in _SEXES else (_NO_VALUE,)
    if view:
        found["view"] = (view,)
    return found


def _matching(column: Column, words: tuple[str, ...]) -> str:
    """The first word that the column knows, else the first; "" where there is no word."""
    return next((word for word in words if column.encode(word) is not None), words[0] if words else "")
