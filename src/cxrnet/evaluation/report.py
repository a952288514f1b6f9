"""report.html: one file that holds everything, plots too, and asks for nothing from elsewhere. Needs jinja2."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(package: str, **values: Any) -> bytes:
    """Return the page of `report.html.j2` in a package, its values escaped."""
    environment = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(**values).encode("utf-8", "surrogateescape")
