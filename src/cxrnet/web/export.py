"""The page with a model inside: as one file that needs no server, or as a folder for static hosting."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from cxrnet.atomic import write_atomic
from cxrnet.errors import OutputError
from cxrnet.model.bundle import Bundle
from cxrnet.web.page_model import check_comparable, describe_model, read_graphs
from cxrnet.web.static_files import read_static

MODEL = "model.json"
INSIDE = ("worker.js", "ort.wasm", "openjpeg.wasm", "charls.wasm", "libjpegturbo.wasm", "licences.txt")
"""Files of the page that the single file holds as data, in addition to the model."""

_STYLE_LINK = '<link rel="stylesheet" href="style.css">'
_SCRIPT_LINK = '<script src="app.js" defer></script>'
_POLICY = '<meta http-equiv="Content-Security-Policy" content="'
_HEADERS = """\
/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
"""


def export_file(bundle: Bundle, path: Path, *, other: Bundle | None = None) -> int:
    """Write the page, the model and all that runs it as one HTML file and return its size in bytes."""
    content = render_file(bundle, read_static(), other)
    write_atomic(path, content)
    return len(content)


def export_folder(bundle: Bundle, folder: Path, *, other: Bundle | None = None) -> int:
    """Write the page as a folder for a static host and return its size in bytes.

    With the headers in `_headers` (a form that several hosts read) the networks run on several threads.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MODEL).is_file())):
        raise OutputError(f"{folder}: holds something else; choose a new folder, or one of an earlier export")
    files = read_static() | _model_files(bundle, other) | {"_headers": _HEADERS.encode()}
    for name, content in files.items():
        write_atomic(folder / name, content)
    return sum(map(len, files.values()))


def render_file(bundle: Bundle, static: dict[str, bytes], other: Bundle | None = None) -> bytes:
    """Return the single file: style and script in place, everything else as compressed data.

    The policy of the page names its script and style by their hashes and forbids every connection.
    """
    script, style = static["app.js"], static["style.css"]
    policy = (
        f"default-src 'none'; script-src '{_source_hash(script)}' 'wasm-unsafe-eval' blob:; worker-src blob:; "
        f"style-src '{_source_hash(style)}'; img-src blob: data:; connect-src 'none'; base-uri 'none'; "
        "form-action 'none'"
    )
    data = {name: static[name] for name in INSIDE} | _model_files(bundle, other)
    blocks = "".join(_data_block(name, content) for name, content in data.items())
    page = static["index.html"].decode()
    page = re.sub(f'{re.escape(_POLICY)}[^"]*', lambda _: _POLICY + policy, page, count=1)
    page = _replace(page, _STYLE_LINK, f"<style>{style.decode()}</style>")
    page = _replace(page, _SCRIPT_LINK, "")
    end = f"{blocks}<script>{script.decode()}</script></body>"
    return _replace(page, "</body>", end).encode()


def _replace(page: str, part: str, by: str) -> str:
    if page.count(part) != 1:
        raise RuntimeError(f"index.html holds {part!r} {page.count(part)} times and not once")
    return page.replace(part, by)


def _source_hash(content: bytes) -> str:
    """Return the source expression of a Content Security Policy for an inline script or style."""
    if b"</script" in content.lower() or b"</style" in content.lower() or b"<!--" in content:
        raise RuntimeError("the built page holds the end of its own element; it cannot be written in place")
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def _data_block(name: str, content: bytes) -> str:
    """Return a block of data that the browser does not run: gzip, in base64."""
    packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
    return f'<script type="application/gzip" id="data-{name}">{packed}</script>\n'


def _model_files(bundle: Bundle, other: Bundle | None) -> dict[str, bytes]:
    check_comparable(bundle, other)
    files = read_graphs(bundle) | {MODEL: _json(describe_model(bundle) | {"other": other is not None})}
    if other is not None:
        second = read_graphs(other) | {MODEL: _json(describe_model(other))}
        files |= {f"other-{name}": content for name, content in second.items()}
    return files


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
