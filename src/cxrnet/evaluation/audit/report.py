"""The plots of an audit, each as PNG, SVG and the numbers behind it, and report.html. Needs matplotlib and jinja2."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.atomic import write_atomic
from cxrnet.evaluation.audit.record import AuditRecord, HeatMapRecord, ShortcutRecord, StabilityRecord, Value
from cxrnet.evaluation.audit.stability import EFFECTS
from cxrnet.evaluation.bootstrap import MIN_GROUPS
from cxrnet.evaluation.plot_files import Plot, write_plots
from cxrnet.evaluation.report import render
from cxrnet.model.bundle import Bundle
from cxrnet.model.metric_names import format_estimate
from cxrnet.plots.chart import BLUE, DASHED, QUIET, SERIES, SKY, VERMILION, in_style, new_chart
from cxrnet.screening.finding import NOTICE

COLOURS = {"weak": SKY, "middle": BLUE, "strong": VERMILION}


def write_report(record: AuditRecord, bundle: Bundle, out: Path) -> None:
    """Write the plots and report.html of an audit into a folder."""
    plots = []
    if record.stability is not None:
        changes = record.stability.changes
        known = [effect for effect in EFFECTS if any(one.effects[effect].value is not None for one in changes)]
        plots += [effect_plot(record.stability, effect) for effect in known]
    if record.shortcuts is not None:
        plots.append(shortcut_plot(record.shortcuts))
    if record.heat_maps is not None:
        plots += [randomisation_plot(record.heat_maps), curve_plot(record.heat_maps)]
    pictures = write_plots(plots, out)
    page = render(
        "audit/report.html.j2",
        record=record,
        plots={picture["name"]: picture for picture in pictures},
        label=bundle.label,
        description=bundle.config.description,
        effects=EFFECTS,
        least_groups=MIN_GROUPS,
        notice=NOTICE,
        format_value=lambda value: format_estimate(None if value is None else value.model_dump()),
    )
    write_atomic(out / "report.html", page)


@in_style
def effect_plot(record: StabilityRecord, effect: str) -> Plot:
    """Return the plot of one effect: one row per kind of change, one point with its interval per strength."""
    kinds = list(dict.fromkeys(change.kind for change in record.changes))
    figure, (axes,) = new_chart(7.2, 0.6 + 0.27 * len(kinds))
    strengths = [strength for strength in COLOURS if any(change.strength == strength for change in record.changes)]
    for strength in strengths:
        chosen = [change for change in record.changes if change.strength == strength]
        shift = (strengths.index(strength) - (len(strengths) - 1) / 2) * 0.22
        places = [len(kinds) - 1 - kinds.index(change.kind) - shift for change in chosen]
        _points(axes, [change.effects[effect] for change in chosen], places, COLOURS[strength], strength)
    axes.set_yticks(range(len(kinds)), reversed(kinds))
    axes.set_title(EFFECTS[effect])
    axes.legend()
    rows = [
        (change.name, change.label, change.strength, *_numbers(change.effects[effect])) for change in record.changes
    ]
    caption = f"{EFFECTS[effect]} by kind of change, with 95 % intervals."
    header = ("change", "label", "strength", "value", "low", "high", "n")
    return Plot(f"stability_{effect}", caption, figure, [header, *rows])


@in_style
def shortcut_plot(record: ShortcutRecord) -> Plot:
    """Return the plot of the AUC over all images, and within each source, after each alteration."""
    names = list(record.auc)
    parts = [part for part in record.auc[names[0]] if " / " not in part][: len(SERIES)]
    figure, (axes,) = new_chart(7.2, 0.8 + 0.5 * len(names))
    axes.axvline(0.5, color=QUIET, linewidth=1, linestyle=DASHED)
    for number, part in enumerate(parts):
        shift = (number - (len(parts) - 1) / 2) * 0.16
        known = [
            (place, record.auc[name][part]) for place, name in enumerate(reversed(names)) if part in record.auc[name]
        ]
        values, places = [value for _, value in known], [place - shift for place, _ in known]
        _points(axes, values, places, SERIES[number], part or "all images")
    axes.set_yticks(range(len(names)), reversed(names))
    axes.set(title="AUC with the lungs, or all else, taken away", xlabel="AUC")
    axes.legend()
    rows = [(name, part, *_numbers(value)) for name, parts in record.auc.items() for part, value in parts.items()]
    caption = "AUC after each alteration; 0.5 is guessing."
    return Plot("shortcuts", caption, figure, [("alteration", "images", "value", "low", "high", "n"), *rows])


@in_style
def randomisation_plot(record: HeatMapRecord) -> Plot:
    """Return the plot of the correlation with the trained heat map as layers become random."""
    names = list(record.randomisation)
    figure, (axes,) = new_chart(5.6, 3.6)
    axes.axhline(0, color=QUIET, linewidth=1, linestyle=DASHED)
    values = [record.randomisation[name].value for name in names]
    axes.plot(names, [np.nan if value is None else value for value in values], color=BLUE, marker="o")
    for name, value in record.randomisation.items():
        if value.low is not None and value.high is not None:
            axes.plot([name, name], [value.low, value.high], color=BLUE)
    axes.set_ylim(-1.05, 1.05)
    axes.set(title="Randomised weights", xlabel="random from the last layer up to", ylabel="Correlation")
    rows = [(name, *_numbers(value)) for name, value in record.randomisation.items()]
    caption = (
        "Correlation with the heat map of the trained network, inside the lungs; near 0 where a map needs the weights."
    )
    return Plot("randomisation", caption, figure, [("layer", "value", "low", "high", "n"), *rows])


@in_style
def curve_plot(record: HeatMapRecord) -> Plot:
    """Return the plot of the deletion and insertion curves."""
    figure, axes = new_chart(8.4, 3.8, columns=2, sharey=True)
    rows: list[Sequence[Any]] = [("curve", "share", "score")]
    for one, kind in zip(axes, ("deletion", "insertion"), strict=True):
        for number, (name, curve) in enumerate(each for each in record.curves.items() if each[0].startswith(kind)):
            shares = np.linspace(0, 1, len(curve))
            one.plot(shares, curve, color=SERIES[number], marker="o", label=name.removeprefix(f"{kind} by "))
            rows += [(name, float(share), score) for share, score in zip(shares, curve, strict=True)]
        one.set(title=kind.capitalize(), xlabel="Share of the lungs", ylabel="Score of the predicted class")
        one.legend()
    caption = (
        "Mean score as positions of the lungs are blurred (deletion) or come back out of the blur (insertion), in the "
        "order of the heat map, in a random one, and from the centre of the lungs outwards."
    )
    return Plot("deletion_insertion", caption, figure, rows)


def _points(axes: Any, values: Sequence[Value], places: Sequence[float], colour: str, label: str) -> None:
    known = [(value, place) for value, place in zip(values, places, strict=True) if value.value is not None]
    axes.plot([value.value for value, _ in known], [place for _, place in known], "o", color=colour, ms=4, label=label)
    for value, place in known:
        if value.low is not None:
            axes.plot([value.low, value.high], [place, place], color=colour, linewidth=1)


def _numbers(value: Value) -> tuple[Any, ...]:
    return value.value, value.low, value.high, value.n
