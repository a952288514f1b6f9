"""Everything in README, documents and model cards that is written from files: sentences, tables, cards, the picture."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.bench.sample_image import sample_image
from cxrnet.errors import MissingExtraError
from cxrnet.evaluation.reproduction.documents.benchmark_statements import benchmark_statements
from cxrnet.evaluation.reproduction.documents.checkout import MODELS
from cxrnet.evaluation.reproduction.documents.model_statements import model_statements
from cxrnet.evaluation.reproduction.documents.statement import write_statements
from cxrnet.evaluation.reproduction.documents.tables import write_tables
from cxrnet.model.bundle import read_bundle, write_facts
from cxrnet.model.card import render_card
from cxrnet.screening.panel.panel import draw_panel
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.png import encode_png

PICTURE = "docs/images/panel-rg1.png"
TOP, BOTTOM = 140, 60
"""Rows of the panel with the score, and with the name and sha256 of the model."""


def write_documents(root: Path, *, is_check: bool) -> Iterator[str]:
    """Write everything that comes from files into the documents of a checkout, or only compare it.

    Each difference is a line; a sentence or table without its place is not written.
    """
    yield from write_statements(chain(model_statements(root), benchmark_statements(root)), root, is_check=is_check)
    yield from write_tables(root, is_check=is_check)
    yield from _write_cards(root / MODELS, is_check=is_check)
    yield from _write_picture(root, is_check=is_check)


def _write_cards(models: Path, *, is_check: bool) -> Iterator[str]:
    for folder in sorted(path.parent for path in models.glob("*/facts.json")):
        bundle = read_bundle(folder)
        if bundle.facts is not None and bundle.card != render_card(bundle.config, bundle.facts, bundle.sha256):
            yield f"{folder.name}: the card is not that of its facts"
            if not is_check:
                write_facts(bundle, bundle.facts)


def _write_picture(root: Path, *, is_check: bool) -> Iterator[str]:
    """Write the panel of README, or only compare it, pixel by pixel; yield whether it differed."""
    source = sample_image()
    if source is None:
        raise MissingExtraError("reproduce: the picture needs the package pydicom-data; pip install 'cxrnet[demo]'")
    with Pipeline.load(str(root / MODELS / "covid")) as pipeline:
        panel = draw_panel(pipeline.screen(str(source)))
    path = root / PICTURE
    read = cv2.imread(str(path)) if path.is_file() else None
    if read is None or not _is_same(np.asarray(read[..., ::-1], np.uint8), panel):
        yield f"{PICTURE}: is not the panel of the bundled model"
        if not is_check:
            path.write_bytes(encode_png(panel))


def _is_same(one: UInt8, other: UInt8) -> bool:
    """Whether two panels have the same words above and below; in the maps a processor may round otherwise."""
    if one.shape != other.shape:
        return False
    difference = np.abs(one.astype(np.int16) - other)
    return bool(difference[:TOP].max() == 0 and difference[-BOTTOM:].max() == 0 and difference.mean() < 1)
