"""The JSON file of a benchmark: what was measured, by which command, on what."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cxrnet.atomic import write_atomic
from cxrnet.errors import UsageError
from cxrnet.parallel import cpu_count

Row = dict[str, str | int | float | None]
"""One line of a table: name -> value. `part` names the table; times are milliseconds where no name says otherwise."""


def machine() -> dict[str, str | int]:
    """Return kind and `model` of the processor, the system and the cores that may be used; no name of the machine."""
    return {
        "processor": platform.machine(),
        "model": _processor_model(),
        "system": platform.system(),
        "cores": cpu_count(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the programs that take the time."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("cxrnet", "onnxruntime", "numpy", "opencv-python-headless")
    }


def _processor_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return " ".join(found[name] for name in ("model name", "cpu family", "model") if found.get(name))


class BenchmarkRecord(BaseModel):
    """What `--json` of `cxrnet bench` and of the scripts in `benchmarks/` writes.

    Attributes:
        schema_: `cxrnet.bench/3`.
        command: What was run, without paths.
        remark: Conditions that the command does not tell, and how the figures came here if not by the command.
        machine: Processor, system and cores.
        versions: Program -> version.
        rows: What was measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["cxrnet.bench/3"] = Field("cxrnet.bench/3", alias="schema")
    command: str
    remark: str = ""
    machine: dict[str, str | int] = Field(default_factory=machine)
    versions: dict[str, str] = Field(default_factory=versions)
    rows: tuple[Row, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in a file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"{error.errors()[0]['msg']}"
            raise UsageError(f"{path.name}: is no record of a benchmark ({reason}); write it with --json") from error

    def write(self, path: Path) -> None:
        """Write the file, one row per line."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"rows"})
        head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
        rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in self.rows)
        write_atomic(path, f'{head},\n "rows": [\n{rows}\n ]\n}}\n'.encode())

    def part(self, name: str) -> list[Row]:
        """Return the rows of a table; all rows of a file without parts are of the part ``""``."""
        return [row for row in self.rows if row.get("part", "") == name]

    def value(self, column: str, **wanted: str) -> float:
        """Return a number of the one row in which the columns `wanted` have these values."""
        found = [row.get(column) for row in self.rows if all(row.get(name) == text for name, text in wanted.items())]
        if len(found) != 1 or not isinstance(found[0], int | float):
            raise UsageError(
                f"{self.command}: its record has {len(found)} rows with {wanted}; needed: one with a {column}"
            )
        return found[0]
