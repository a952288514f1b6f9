"""The built page: files that `make web` makes from `web/` and that come with the wheel."""

from pathlib import Path

from cxrnet.errors import MissingExtraError

FOLDER = Path(__file__).parent / "static"

NAMES = (
    "index.html", "app.js", "style.css", "worker.js", "ort.wasm", "ort.mjs",
    "openjpeg.wasm", "charls.wasm", "libjpegturbo.wasm", "licences.txt",
)  # fmt: skip
"""Files of the page, all of which must be there."""


def read_static(folder: Path = FOLDER) -> dict[str, bytes]:
    """Return the files of the page by name; an error if the page has not been built."""
    missing = [name for name in NAMES if not (folder / name).is_file()]
    if missing:
        raise MissingExtraError(f"the page: {missing[0]} is not built; run `make web`, or install the wheel of cxrnet")
    return {name: (folder / name).read_bytes() for name in NAMES}
