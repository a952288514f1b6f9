"""The panel: what was found in one radiograph, at a glance, in the way of the paper's Figs. 12 and 13.

From top to bottom: file name and headline, warnings, tiles, scores, model. A refused image shows why.
"""

from typing import Final

import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.screening.finding import Finding
from cxrnet.screening.panel.canvas import BODY, HEADLINE, MARGIN, SMALL, TITLE, WIDTH, Canvas
from cxrnet.screening.panel.colour import QUIET, RULE, SURFACE, TEXT, WARNING
from cxrnet.screening.panel.gallery import draw_gallery, draw_outline_key
from cxrnet.screening.panel.score_axis import draw_score_axis
from cxrnet.screening.panel.text import score_text, text_width, wrap
from cxrnet.screening.panel.tile import View, fit_view, fitted_size, in_frame, radiograph_tile, view_of

DISCLAIMER: Final = "Research use only - not a medical device, not for diagnosis"
_HEADER: Final = 128
_FOOTER: Final = 64
_LINE: Final = 30
_INNER: Final = WIDTH - 2 * MARGIN
_REFUSED_TILE: Final = 560
_REASONS: Final = MARGIN + _REFUSED_TILE + 48
_REASON: Final = 28
_REASON_LINE: Final = 36
_CODE_LINE: Final = 54


def draw_panel(finding: Finding, *, title: str | None = None) -> UInt8:
    """The panel of a scored or refused finding, uint8 [height, WIDTH, 3], RGB."""
    view = view_of(finding)
    parts = [_draw_header(finding, title)]
    if finding.status == "refused":
        parts.append(_draw_refusal(finding, view))
    else:
        if finding.uncertainty_reason:
            parts.append(_draw_warning("UNCERTAIN", finding.uncertainty_reason))
        parts += [_draw_warning(reason.code, reason.text) for reason in finding.reasons]
        parts += [draw_gallery(finding, view), draw_score_axis(finding)]
    parts.append(_draw_footer(finding))
    return np.concatenate(parts)


def headline_text(finding: Finding) -> tuple[str, str]:
    """The headline and a note on it; of two classes always the first, so that a row of panels compares.

    The note gives the interval over the folds; an uncertain answer is marked next to its score.
    """
    if finding.status == "refused":
        return "No score: refused", "the image did not pass the checks below"
    name = max(finding.scores, key=lambda name: finding.scores[name])
    if len(finding.scores) == 2:
        name = next(iter(finding.scores))
    count = len(finding.folds[name])
    source = "one network" if count == 1 else f"the {count}-fold ensemble"
    kind = "calibrated" if finding.is_calibrated else "uncalibrated"
    which = f"highest of {len(finding.scores)} {kind} scores" if len(finding.scores) > 2 else f"{kind} score"
    headline = f"{name} {score_text(finding.scores[name])}"
    note = f"{which} of {source}"
    if finding.interval:
        low, high = map(score_text, finding.interval[name])
        note += f", interval {low} to {high}"
    return f"{headline}, uncertain" if finding.uncertainty_reason else headline, note


def _draw_header(finding: Finding, title: str | None) -> UInt8:
    assert finding.radiograph is not None
    canvas = Canvas(_HEADER)
    headline, note = headline_text(finding)
    colour = WARNING if finding.status == "refused" else TEXT
    right = WIDTH - MARGIN
    canvas.text(headline, right, 70, size=HEADLINE, colour=colour, align="right", room=_INNER * 0.55)
    canvas.text(note, right, 104, colour=QUIET, align="right", room=_INNER * 0.55)
    used = max(text_width(headline, HEADLINE), text_width(note, SMALL))
    room = _INNER - min(used, _INNER * 0.55) - 60
    canvas.text(title or finding.radiograph.name, MARGIN, 70, size=TITLE, room=room)
    rows, columns = finding.radiograph.pixels.shape
    canvas.text(f"{columns} pixels wide, {rows} high", MARGIN, 104, colour=QUIET, room=room)
    return canvas.pixels


def _draw_warning(code: str, text: str) -> UInt8:
    lines = wrap(f"Warning {code}: {text}", BODY, _INNER - 56)
    canvas = Canvas(20 + _LINE * len(lines) + 16)
    canvas.box(MARGIN, 0, _INNER, 20 + _LINE * len(lines), SURFACE)
    canvas.box(MARGIN, 0, 8, 20 + _LINE * len(lines), WARNING)
    for row, line in enumerate(lines):
        canvas.text(line, MARGIN + 28, 34 + _LINE * row, size=BODY, colour=WARNING)
    return canvas.pixels


def _draw_refusal(finding: Finding, view: View) -> UInt8:
    room_for_text = WIDTH - MARGIN - _REASONS
    reasons = [(reason.code, wrap(reason.text, _REASON, room_for_text)) for reason in finding.reasons]
    high = fitted_size(view.size, (_REFUSED_TILE, _REFUSED_TILE))[0]
    listed = sum(_CODE_LINE + _REASON_LINE * len(lines) for _, lines in reasons)
    canvas = Canvas(max(high + 46, listed) + 20)
    room = (high, _REFUSED_TILE)
    canvas.paste(in_frame(radiograph_tile(fit_view(view, room)), room), MARGIN, 0)
    draw_outline_key(canvas, MARGIN, high + 14)
    _draw_reasons(canvas, reasons)
    return canvas.pixels


def _draw_reasons(canvas: Canvas, reasons: list[tuple[str, list[str]]]) -> None:
    top = 0.0
    for code, lines in reasons:
        canvas.text(code, _REASONS, top + 18, colour=WARNING, room=WIDTH - MARGIN - _REASONS)
        for row, line in enumerate(lines):
            canvas.text(line, _REASONS, top + 54 + _REASON_LINE * row, size=_REASON)
        top += _CODE_LINE + _REASON_LINE * len(lines)


def _draw_footer(finding: Finding) -> UInt8:
    canvas = Canvas(_FOOTER)
    canvas.box(MARGIN, 6, _INNER, 1, RULE)
    canvas.text(DISCLAIMER, WIDTH - MARGIN, 40, align="right")
    room = _INNER - text_width(DISCLAIMER, SMALL) - 60
    lungs = f"lungs {finding.lung_area_fraction or 0.0:.0%} of the image".replace("%", " %")
    model = f"model {finding.model['name']} {finding.model['version']} ({finding.model['sha256'][:8]})"
    canvas.text(lungs, MARGIN, 40, colour=QUIET)
    start = text_width(lungs, SMALL) + 40
    canvas.text(model, MARGIN + start, 40, colour=QUIET, room=room - start)
    return canvas.pixels
