"""The YAML file of settings: YAML 1.2, of which values as JSON has them are taken."""

from __future__ import annotations

import json
import unicodedata
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from cxrnet.errors import UsageError

_MAX_BYTES, _MAX_PARTS = 1_000_000, 100_000
_TAG = "tag:yaml.org,2002:"


class _Values(SafeConstructor):
    """What JSON can hold: dates are words, as in YAML 1.2; sets, bytes and objects are refused with their line."""


_Values.yaml_constructors = {  # one of its own: `add_constructor` would keep what is inherited
    tag: make
    for tag, make in SafeConstructor.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in {"null", "bool", "int", "float", "str", "seq", "map"}
}
_Values.add_constructor(f"{_TAG}timestamp", SafeConstructor.construct_yaml_str)


def read_fields(path: Path) -> dict[str, Any]:
    """Return the fields of a file, where `1e-3` is a number, `yes` a word and `2020-01-01` another; text in NFC."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Values
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise UsageError(f"{path}: is larger than {_MAX_BYTES // 1_000_000} MB; give a file of settings")
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8").lstrip("\ufeff")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = yaml.load(unicodedata.normalize("NFC", text))
        # Aliases can make a short file huge, or refer to what they are in, which the encoder notices.
        parts = list(islice(json.JSONEncoder().iterencode({} if loaded is None else loaded), _MAX_PARTS + 1))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "save it as UTF-8"
        raise UsageError(f"{path}: is not a readable YAML file ({reason}); give fields and values") from error
    except (YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # also of `!!int x`
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or f"{error}"
        line = "" if mark is None else f" line {mark.line + 1}:"
        first = problem.partition("\n")[0].removeprefix("found ").split(" with value")[0]
        remedies = {
            "duplicate": "give each field once",
            "\\t": "use spaces, not tabs",
            "character": "put the value in quotes",
        }
        remedy = next((text for word, text in remedies.items() if word in first), "give fields and values")
        raise UsageError(f"{path.name}:{line} is not readable YAML ({first}); {remedy}") from error
    if len(parts) > _MAX_PARTS:
        raise UsageError(f"{path.name}: its aliases make too many values of it; write out what is needed")
    fields = json.loads("".join(parts))
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: holds {type(fields).__name__}; give fields and values")
    return fields
