"""`cxrnet inspect`: what the reader did with one file, and what the gate says."""

import json
from typing import Any

import typer

from cxrnet.cli.options import BUNDLE


def inspect(
    source: str = typer.Argument(..., metavar="INPUT", help="One file.", show_default=False),
    bundle: str = BUNDLE,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print how a file was read, step by step, and whether it would be scored."""
    from cxrnet.imaging.radiograph import describe_size, printable
    from cxrnet.screening.pipeline import Pipeline

    with Pipeline.load(bundle) as pipeline:
        radiograph, gate_result, lungs = pipeline.inspect(source)
    spacing = radiograph.spacing_mm
    gate = [f"refuses: {reason.code}: {reason.text}" for reason in gate_result.refusals]
    gate += [f"warns: {reason.code}: {reason.text}" for reason in gate_result.warnings]
    area = f"{lungs.area_fraction:.0%}".replace("%", " %")
    record: dict[str, Any] = {
        "input": printable(source),
        "format": radiograph.format,
        "size": f"{describe_size(radiograph.pixels)} pixels",
        "spacing": "not known" if spacing is None else f"{spacing[0]:g} x {spacing[1]:g} mm",
        "sha256": radiograph.sha256,
        "tags": dict(radiograph.tags),
        "history": list(radiograph.history),
        "warnings": list(radiograph.warnings),
        "lungs": f"cover {area} of the image (bundle {bundle})",
        "gate": gate or ["passes"],
    }
    typer.echo(json.dumps(record, indent=2, ensure_ascii=False) if as_json else _lines(record))


def _lines(record: dict[str, Any]) -> str:
    lines = []
    for name, value in record.items():
        if isinstance(value, dict):
            value = [f"{key} = {item}" for key, item in value.items()]
        first, *rest = (value or ["none"]) if isinstance(value, list) else [value]
        lines += [f"{name:<9} {first}", *(f"{'':<9} {item}" for item in rest)]
    return "\n".join(lines)
