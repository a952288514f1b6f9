"""A model on disk: one folder, read strictly, written atomically.

    config.json          what the model is (`BundleConfig`)
    weights.safetensors  the weights, for training and research
    segmenter.onnx       Module 1 alone, for images of any size
    graph.onnx           the whole network, from prepared image to scores (where there is a classifier)
    view.onnx            the network of the gate, where the model has one of its own
    card.md              what the model was made from, what it can and cannot do
    facts.json           what the card is written from (`Facts`); published bundles have a card without it
    checksums.json       sha256 of each of these

The sha256 that names the model covers the files it computes with, not card and facts: a new evaluation leaves it as it
is. Nothing in a bundle is ever unpickled.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from cxrnet.atomic import write_atomic
from cxrnet.errors import BundleError, OutputError
from cxrnet.model.config import BundleConfig
from cxrnet.model.facts import Facts
from cxrnet.model.gate_runtime import SHIPPED_GATE
from cxrnet.model.record import Frozen

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
SEGMENTER = "segmenter.onnx"
GRAPH = "graph.onnx"
GATE = "view.onnx"
CARD = "card.md"
FACTS = "facts.json"
README = "README.md"
"""Of a folder for a model hub; it is for people and not read."""

ABOUT = frozenset({CARD, FACTS})
"""Files that describe the model and are no part of it."""

CHECKSUMS = "checksums.json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Record = TypeVar("Record", bound=Frozen)
PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5", ".keras", ".bin", ".npy"})


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A checked bundle.

    Attributes:
        folder: Where it is.
        config: What the model is.
        sha256: Names the model in findings and runs: the sha256 of what `sha256sum` prints for its files in the order
            of their names, without `card.md`, `facts.json` and `checksums.json`.
        facts: What the card is written from; None where there is only a card.
    """

    folder: Path
    config: BundleConfig
    sha256: str
    facts: Facts | None = None

    @property
    def label(self) -> str:
        """Name, version and the first digits of the sha256, for people."""
        return f"{self.config.name} {self.config.version} ({self.sha256[:8]})"

    @property
    def identity(self) -> dict[str, str]:
        """`name`, `version` and `sha256`, for records."""
        return {"name": self.config.name, "version": self.config.version, "sha256": self.sha256}

    @property
    def gate_graph(self) -> Path:
        """The graph of the gate's network: the model's own, or the one that comes with the package."""
        own = self.folder / GATE
        return own if own.is_file() else SHIPPED_GATE

    @property
    def card(self) -> str:
        """The card, in Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Return the bundle in `folder` after checking every file."""
    checksums = _read_checksums(folder)
    _reject_unlisted_files(folder, checksums)
    content = {name: _read_checked(folder, name, expected) for name, expected in checksums.items()}
    config = _parse(BundleConfig, folder, CONFIG, content[CONFIG])
    for name in needed_files(config):
        if name not in content:
            raise BundleError(f"{folder.name}: {name} is missing; import or build the bundle again")
    facts = _parse(Facts, folder, FACTS, content[FACTS]) if FACTS in content else None
    return Bundle(folder=folder, config=config, sha256=name_model(checksums), facts=facts)


def write_bundle(
    folder: Path,
    config: BundleConfig,
    files: Mapping[str, bytes],
    *,
    facts: Facts | None = None,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle atomically; `files` are all but config and checksums, without the card where there are `facts`."""
    content = {CONFIG: config.model_dump_json(indent=2).encode(), **files}
    if facts is not None and CARD in files:
        msg = f"{config.name}: has facts and a card; the card is written from the facts, give one of the two"
        raise BundleError(msg)
    if facts is not None:
        content |= _about(config, facts, name_model(_checksums(content)))
    optional = {GATE} if facts is None else {GATE, FACTS}
    if set(content) - optional != set(needed_files(config)):
        raise BundleError(f"{config.name}: got {', '.join(sorted(content))}; needs {', '.join(needed_files(config))}")
    if folder.exists() and not overwrite:
        raise BundleError(f"{folder}: exists already; choose another folder or say --overwrite")
    if folder.exists() and not (folder / CHECKSUMS).is_file():
        raise BundleError(f"{folder}: is not a bundle; it will not be overwritten")
    _replace_folder(folder, content)
    return read_bundle(folder)


def write_facts(bundle: Bundle, facts: Facts) -> Bundle:
    """Replace the facts of a bundle and the card written from them; the model and its sha256 stay."""
    folder = bundle.folder
    checksums = _read_checksums(folder)
    content = {name: _read_checked(folder, name, checksums[name]) for name in checksums if name not in ABOUT}
    if name_model(checksums) != bundle.sha256:
        raise BundleError(f"{folder.name}: has changed since it was read; run the command again")
    _replace_folder(folder, content | _about(bundle.config, facts, bundle.sha256))
    return read_bundle(folder)


def name_model(checksums: Mapping[str, str]) -> str:
    """Return the sha256 that names a model, from those of its files; see `Bundle`."""
    lines = (f"{checksums[name]}  {name}\n" for name in sorted(checksums) if name not in ABOUT)
    return _sha256("".join(lines).encode())


def needed_files(config: BundleConfig) -> tuple[str, ...]:
    """Return the names of the files that a bundle of this config must hold, without the checksums."""
    always = (CONFIG, WEIGHTS, SEGMENTER, CARD)
    return always if config.classifier is None else (*always, GRAPH)


def _about(config: BundleConfig, facts: Facts, sha256: str) -> dict[str, bytes]:
    from cxrnet.model.card import render_card  # needs jinja2, which screening does not

    card = render_card(config, facts, sha256)
    return {FACTS: facts.model_dump_json(indent=1).encode(), CARD: card.encode()}


def _checksums(content: Mapping[str, bytes]) -> dict[str, str]:
    return {name: _sha256(data) for name, data in sorted(content.items())}


def _replace_folder(folder: Path, content: Mapping[str, bytes]) -> None:
    content = {**content, CHECKSUMS: json.dumps({"sha256": _checksums(content)}, indent=2).encode()}
    aside = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        for name, data in content.items():
            write_atomic(aside / name, data)
        aside.chmod(0o755)
        _swap(aside, folder)
    except OSError as error:
        raise OutputError.of(folder, error) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _swap(aside: Path, folder: Path) -> None:
    """Put `aside` in the place of `folder`, which is removed last, and restored on failure."""
    if not folder.exists():
        aside.rename(folder)
        return
    old = folder.rename(aside.with_name(f"{aside.name}.old"))
    try:
        aside.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    try:
        listed: Any = json.loads(path.read_bytes())["sha256"]
    except FileNotFoundError as error:
        msg = f"{folder}: is not a bundle, it has no {CHECKSUMS}; give the folder or the name of a bundle"
        raise BundleError(msg) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{folder.name}: {CHECKSUMS} cannot be read; import or build the bundle again") from error
    if not isinstance(listed, dict) or CONFIG not in listed or not all(map(FILE_NAME.fullmatch, listed)):
        raise BundleError(f"{folder.name}: {CHECKSUMS} is not of this version's form; import or build the bundle again")
    return {str(name): str(value) for name, value in listed.items()}


def _reject_unlisted_files(folder: Path, checksums: Mapping[str, str]) -> None:
    """Refuse files without a checksum: they may be old weights or worse."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICKLES:
            msg = f"{folder.name}: holds {path.name}, a format that can run code when loaded; bundles hold safetensors"
            raise BundleError(msg)
        if path.name in (*checksums, CHECKSUMS, README) or path.name.startswith("."):
            continue
        raise BundleError(f"{folder.name}: holds {path.name}, which {CHECKSUMS} does not list; remove it")


def _read_checked(folder: Path, name: str, expected: str) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        msg = f"{folder.name}: {name} cannot be read ({error.strerror}); import or build the bundle again"
        raise BundleError(msg) from error
    if _sha256(data) != expected:
        raise BundleError(f"{folder.name}: {name} has changed since the bundle was written; import or build it again")
    return data


def _parse(record: type[Record], folder: Path, name: str, data: bytes) -> Record:
    try:
        return record.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or Path(name).stem
        msg = f"{folder.name}: {where} in {name}: {first['msg']}; made by another version of cxrnet, build it again"
        raise BundleError(msg) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
