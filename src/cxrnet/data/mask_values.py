"""How the stored values of masks are read, as options name it: `1,2`, `soft`, or `right lung=1,left lung=2`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrnet.errors import UsageError
from cxrnet.model.segmenter_classes import BACKGROUND, has_label_maps

SOFT = "soft"


@dataclass(frozen=True, kw_only=True)
class MaskValues:
    """How stored values are read."""

    # values that are lung, as numbers or `#rrggbb`; `("soft",)` for shares of the largest value of the format; empty
    # to recognise the kind of mask
    lung: tuple[str, ...] = ()
    void: tuple[str, ...] = ()  # values of pixels that count neither as lung nor as outside

    @property
    def is_soft(self) -> bool:
        """Whether the values are shares."""
        return self.lung == (SOFT,)


@dataclass(frozen=True, kw_only=True)
class ClassValues(MaskValues):
    """How label maps of several classes are read; `lung` is empty."""

    # each class and its values, `background` first. Every value that is not void belongs to one
    classes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in their order."""
        return tuple(name for name, _ in self.classes)


AUTOMATIC = MaskValues()


def parse_mask_values(text: str | None, void: str | None) -> MaskValues:
    """The reading named on the command line, from comma-separated values or pairs of class and value."""
    given, left_out = _parts(text), _lower(_parts(void))
    if any("=" in part for part in given):
        return _class_values(given, left_out)
    given = _lower(given)
    for option, values in (("--mask-values", given), ("--void-value", left_out)):
        if (option, values) != ("--mask-values", (SOFT,)):
            _check_values(option, values)
    both = set(given) & set(left_out)
    if both:
        raise UsageError(f"--void-value {sorted(both)[0]}: is also in --mask-values; a value is lung or void")
    return MaskValues(lung=given, void=left_out)


def values_for(values: MaskValues, classes: Sequence[str]) -> MaskValues:
    """The reading for a segmenter of these classes; without named values that of a class is its index."""
    names = ", ".join(classes)
    if not has_label_maps(classes):
        if isinstance(values, ClassValues):
            raise UsageError(f"--mask-values: the segmenter has the classes {names}; give the values of lung alone")
        return values
    if not isinstance(values, ClassValues):
        if values.lung:
            example = ",".join(f"{name}={index}" for index, name in enumerate(classes) if index)
            raise UsageError(f"--mask-values: the segmenter has the classes {names}; give '{example}' or the like")
        pairs = tuple((name, (str(index),)) for index, name in enumerate(classes))
        return ClassValues(void=values.void, classes=pairs)
    named = dict(values.classes)
    if set(named) != set(classes):
        problem = f"names {', '.join(values.names)}, and the segmenter has {names}"
        raise UsageError(f"--mask-values: {problem}; give every class a value")
    return ClassValues(void=values.void, classes=tuple((name, named[name]) for name in classes))


def number_of(text: str) -> float | None:
    """The number of a value, that of a colour being 65536 red + 256 green + blue; None for any other text."""
    try:
        if text.startswith("#"):
            return float(int(text[1:], 16)) if len(text) == 7 else None
        return float(text) if np.isfinite(float(text)) else None
    except ValueError:
        return None


def _class_values(given: Sequence[str], void: tuple[str, ...]) -> ClassValues:
    found: dict[str, tuple[str, ...]] = {}
    for part in given:
        name, _, value = (side.strip() for side in part.partition("="))
        if not name or not value:
            raise UsageError(
                f"--mask-values {part}: is not CLASS=VALUE; for example 'right lung=1,left lung=2,heart=3'"
            )
        found[name] = (*found.get(name, ()), value.lower())
    outside = "#000000" if any(value.startswith("#") for values in found.values() for value in values) else "0"
    classes = {BACKGROUND: found.pop(BACKGROUND, (outside,)), **found}
    every = [value for values in classes.values() for value in values] + list(void)
    _check_values("--mask-values", every)
    if twice := [value for value in every if every.count(value) > 1]:
        raise UsageError(f"--mask-values {twice[0]}: has two meanings; a value is one class or void")
    return ClassValues(void=void, classes=tuple(classes.items()))


def _check_values(option: str, values: Sequence[str]) -> None:
    for value in values:
        if number_of(value) is None:
            raise UsageError(f"{option} {value}: is not a value of a mask; give numbers, or colours as #rrggbb")


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _lower(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)
