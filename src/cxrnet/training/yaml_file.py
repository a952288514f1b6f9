"""Settings in YAML, as people write them: `1e-3` is a number, `yes` is a word, and a key comes once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

from cxrnet.errors import MissingExtraError, UsageError

_FLOAT = re.compile(r"^(?:[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_BOOL = re.compile("^(?:true|True|TRUE|false|False|FALSE)$")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the fields of a YAML file, by the rules of YAML 1.2 for numbers and truth values.

    Raises:
        UsageError: It cannot be read, holds something other than fields, or a field twice.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(f"{path.name}: PyYAML is not installed; pip install 'cxrnet[train]'") from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """PyYAML reads YAML 1.1, where `1e-3` is text and `yes` is true."""

        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
            first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":float", ":bool"))]
            for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            """A mapping whose keys differ."""
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise UsageError(f"{path.name}: line {line}: {key.value} is given twice; give each field once")
                seen.add(key.value)
            return dict(super().construct_mapping(node, deep))

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+0123456789.")
    )
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(f"^(?:{_BOOL.pattern})$"), list("tTfF"))
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = f"is not a readable YAML file ({type(error).__name__})"
        raise UsageError(f"{path}: {problem}; give fields and values") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds {type(content).__name__}; give fields and values")
    return content
