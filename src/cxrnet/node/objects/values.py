"""One text value by the rules of its value representation (PS3.5 6.2): as it is, rewritten, or None where it cannot be.

A value is rewritten only where its meaning is plain. What could mean two things, as a date of 02/01/2020 or an age
without a unit, is given up.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from pydicom.valuerep import format_number_as_ds

_DATE = re.compile(r"(\d{4})(?:(\d\d)(\d\d)|([.\-/: ])(\d{1,2})\4(\d{1,2}))(?:[T ]?\d\d[\d:. ]*)?")
_TIME = re.compile(r"(\d{2}|\d(?=[:.]))(?:([:.]?)(\d{2})(?:\2(\d{2})(?:[.,](\d+))?)?)?")
_AGE = re.compile(r"(\d{1,3}) ?([DWMY])(?:|AYS?|EEKS?|ONTHS?|EARS?)")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(E[+-]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+,(\d{1,2}|\d{4,})")
_WHOLE = re.compile(r"([+-]?\d{1,12})(?:\.0*)?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_UID = re.compile(r"(?=.{3,64}\Z)[012](\.\d+)+")  # with leading zeros, which devices send and archives file under
_CODE = re.compile(r"[A-Z0-9 _]{0,16}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_BREAKS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")

MAX_LENGTHS: Final = MappingProxyType({"LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024})
"""Characters in a value; of a name in each of its groups."""

ENUMERATED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "PatientSex": {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "OTHER": "O"},
        "PatientIdentityRemoved": {"YES": "YES", "NO": "NO"},
        "QualityControlSubject": {"YES": "YES", "NO": "NO"},
        "PatientSexNeutered": {"ALTERED": "ALTERED", "UNALTERED": "UNALTERED"},
        "SmokingStatus": {"YES": "YES", "NO": "NO", "UNKNOWN": "UNKNOWN"},
        "ConsentForDistributionFlag": {"YES": "YES", "NO": "NO", "WITHDRAWN": "WITHDRAWN"},
    }
)
"""Keyword -> what is taken for one of the values that the standard enumerates -> that value."""


def conforming(keyword: str, representation: str, value: str) -> str | None:
    """Return a value in the form of its representation, the same where it is valid, None where it has no valid form."""
    if not value:
        return value
    if keyword in ENUMERATED:
        return ENUMERATED[keyword].get(value.strip().upper())
    rule = _offset if keyword == "TimezoneOffsetFromUTC" else _RULES.get(representation)
    if rule is not None:
        return rule(value)
    return _text(keyword, representation, value)


def _date(value: str) -> str | None:
    found = _DATE.fullmatch(value.strip())
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2] or found[5]), int(found[3] or found[6]))
        return f"{day.year}{day.month:02}{day.day:02}" if 1000 <= day.year < 3000 else None
    except ValueError:
        return None


def _time(value: str) -> str | None:
    found = _TIME.fullmatch(value.strip())
    if found is None:
        return None
    hours, _, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 60:
        return None
    if seconds == "60":  # a leap second, which the standard allows and validators refuse
        seconds, fraction = "59", None
    return f"{hours:0>2}{minutes or ''}{seconds or ''}" + (f".{fraction[:6]}" if fraction else "")


def _age(value: str) -> str | None:
    found = _AGE.fullmatch(value.strip().upper())
    return None if found is None else f"{int(found[1]):03}{found[2]}"


def _decimal(value: str) -> str | None:
    text = value.strip()
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    if not abs(number) < float("inf"):
        return None
    if len(value) <= 16 and "," not in value:
        return value
    return text if len(text) <= 16 else format_number_as_ds(number)


def _integer(value: str) -> str | None:
    found = _WHOLE.fullmatch(value.strip())
    return found[1] if found and -(2**31) <= int(found[1]) < 2**31 else None


def _code(value: str) -> str | None:
    text = value.strip().upper()
    return text if _CODE.fullmatch(text) else None


def _offset(value: str) -> str | None:
    """Return an offset from UTC, -1200 to +1400 (PS3.3 C.12.1, Timezone Offset From UTC)."""
    found = _OFFSET.fullmatch(value.strip())
    is_valid = found and found[0] != "-0000" and -1200 <= int(found[1] + found[2] + found[3]) <= 1400
    return "".join(found.groups()) if found and is_valid and int(found[3]) < 60 else None


def _uid(value: str) -> str | None:
    return value if _UID.fullmatch(value) else None


def _text(keyword: str, representation: str, value: str) -> str | None:
    """Return text without control characters, cut to the length that it may have; identifiers are not cut."""
    has_breaks = representation in ("LT", "ST", "UT")
    text = (_CONTROL_BUT_BREAKS if has_breaks else _CONTROL).sub(" ", value.strip("\0"))
    if not has_breaks:
        text = text.replace("\\", "/")
    if representation == "PN":
        groups = [_name(group) for group in text.split("=")]
        text = "=".join(groups[:3])
    elif representation in MAX_LENGTHS:
        text = text[: MAX_LENGTHS[representation]]
    is_identifier = keyword.endswith(("ID", "IDs", "Number", "CodeValue", "SchemeDesignator"))
    return None if is_identifier and text != value.strip("\0") else text


def _name(group: str) -> str:
    """Return a group of a name with at most five components, 64 characters in all."""
    components = group.split("^")
    return "^".join([*components[:4], " ".join(components[4:])])[:64] if len(components) > 5 else group[:64]


_RULES: Final[Mapping[str, Callable[[str], str | None]]] = MappingProxyType(
    {"AS": _age, "CS": _code, "DA": _date, "DS": _decimal, "IS": _integer, "TM": _time, "UI": _uid}
)
