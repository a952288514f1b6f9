"""report.html: one file that holds everything, plots too, and asks for nothing from elsewhere. Needs jinja2."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> bytes:
    """Return the page of a template in this package, its values escaped."""
    environment = Environment(
        loader=PackageLoader("cxrnet.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values).encode("utf-8", "surrogateescape")
