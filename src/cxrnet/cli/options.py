"""Options that several commands share, and the ones that choose columns and rows of a manifest."""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from cxrnet.data.manifest import Columns, Manifest

Command = Callable[..., None]

BUNDLE = typer.Option("covid", "--bundle", "-b", metavar="MODEL", help="Model bundle: a name or a path.")
JOBS = typer.Option(
    None,
    "--jobs",
    "-j",
    min=1,
    max=64,
    help="Number of parallel workers (default: number of cores).",
    show_default=False,
)
MANIFEST = typer.Option(..., "--manifest", "-m", help="Manifest (CSV), one row per image.", show_default=False)
OUT = typer.Option(..., "--out", "-o", help="Folder for the results.", show_default=False)
SEED = typer.Option(0, "--seed", min=0, help="Random seed.")
WHERE = typer.Option(
    [], "--where", metavar="COLUMN=VALUE", help="Use only rows with this value; a,b matches either (repeatable)."
)

COLUMNS = {
    "image": ("image", "Column with the image paths."),
    "mask": ("mask", "Column with the lung mask paths."),
    "label": ("label", "Column with the class names."),
    "group": ("group_id", "Column with the group ID (kept within one fold)."),
    "patient": ("patient_id", "Column with the patient ID."),
    "source": ("source", "Column with the source (hospital or collection)."),
    "view": ("view", "Column with the view (PA, AP, ...)."),
    "split": ("split", "Column with the split (train, val, test)."),
}
"""Field of `cxrnet.data.manifest.Columns` -> default column name, help."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The columns and rows of a manifest that the user chose, as the options have them."""

    names: Mapping[str, str]
    conditions: tuple[str, ...] = ()

    @property
    def columns(self) -> Columns:
        """The column names."""
        from cxrnet.data.manifest import Columns

        return Columns(**self.names)

    @property
    def where(self) -> dict[str, str]:
        """Column -> value that a row must have."""
        from cxrnet.data.manifest import parse_where

        return parse_where(self.conditions)

    def read(self, path: Path) -> Manifest:
        """Return the selected rows of a manifest."""
        from cxrnet.data.manifest import read_manifest

        return read_manifest(path, columns=self.columns, where=self.where)


def request_fields(manifest: Path, selection: Selection, jobs: int | None, seed: int, resamples: int) -> dict[str, Any]:
    """Return the fields of an `ImageRequest`, as the options have them."""
    from cxrnet.parallel import cpu_count

    return {
        "manifest": manifest,
        "columns": selection.columns,
        "where": selection.where,
        "jobs": jobs or cpu_count(),
        "seed": seed,
        "resamples": resamples,
        "command": shlex.join(["cxrnet", *sys.argv[1:]]),
    }


def manifest_options(*fields: str, where: bool = True) -> Callable[[Command], Command]:
    """Give a command one `--<field>-column` option per field and `--where`, handed over as `selection: Selection`.

    The command takes `selection` as a keyword-only parameter; the options appear at its place in `--help`.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            names = {field: values.pop(f"{field}_column") for field in fields}
            conditions = tuple(values.pop("where")) if where else ()
            command(**values, selection=Selection(names=names, conditions=conditions))

        added: dict[str, tuple[Any, Any]] = {}
        for field in fields:
            default, text = COLUMNS[field]
            option = typer.Option(default, f"--{field}-column", metavar="NAME", help=text)
            added[f"{field}_column"] = (str, option)
        if where:
            added["where"] = (list[str], WHERE)
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == "selection":
                parameters += [
                    inspect.Parameter(name, keyword, annotation=annotation, default=option)
                    for name, (annotation, option) in added.items()
                ]
            else:
                parameters.append(parameter.replace(kind=keyword))
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
