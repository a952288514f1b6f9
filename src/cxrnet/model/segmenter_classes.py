"""What the names of a segmenter's classes say: which are lung, and which are two sides of one organ."""

from collections.abc import Sequence

from cxrnet.model.record import check_names

LUNGS, BACKGROUND = "lungs", "background"
LUNG_SIDES = ("right lung", "left lung")
LUNG_CLASSES = (LUNGS, "lung", *LUNG_SIDES)
"""Classes whose probabilities are added up to the lung probability; left and right are those of the patient."""

_OPPOSITE = {"left": "right", "right": "left"}


def check_classes(classes: Sequence[str]) -> None:
    """Raise ValueError unless these can be the classes of a segmenter.

    One is `lungs` (or `lung`), or two are `right lung` and `left lung`. More than two begin with `background`.
    """
    check_names(tuple(classes))
    lungs = [name for name in classes if name in LUNG_CLASSES]
    listed = f"classes are {', '.join(classes)}"
    if set(lungs) != set(LUNG_SIDES) and lungs not in ([LUNGS], ["lung"]):
        raise ValueError(f"{listed}; one of them must be {LUNGS}, or two {' and '.join(LUNG_SIDES)}")
    if has_label_maps(classes) and classes[0] != BACKGROUND:
        raise ValueError(f"{listed}; of more than two the first must be {BACKGROUND}")
    if len(lungs) == len(classes):
        raise ValueError(f"{listed}; one of them must be {BACKGROUND}")


def has_label_maps(classes: Sequence[str]) -> bool:
    """Whether there are more classes than a lung mask can hold."""
    return len(classes) > 2


def lung_channels(classes: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of the lung classes."""
    return tuple(index for index, name in enumerate(classes) if name in LUNG_CLASSES)


def swapped_sides(classes: Sequence[str]) -> tuple[int, ...]:
    """Return the index of each class in a mirrored image: `left lung` is where `right lung` was.

    A ValueError says that a class of one side has no counterpart.
    """
    mirrored = []
    for name in classes:
        side, _, organ = name.partition(" ")
        mirrored.append(f"{_OPPOSITE[side]} {organ}" if side in _OPPOSITE else name)
    if missing := [name for name in mirrored if name not in classes]:
        raise ValueError(f"classes are {', '.join(classes)}; mirrored images need {missing[0]} as well")
    return tuple(classes.index(name) for name in mirrored)
