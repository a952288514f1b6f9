"""Patient data, the third input of Module 2 (paper 4): what a model takes of a patient, and how that becomes numbers.

Training, evaluation and screening encode with the same record. A value that is missing sets an input of its own to 1:

    number      (value - mean) / sd, missing        missing: 0, 1
    category    one input per category, missing     missing: 0, ..., 0, 1

No value is ever repeated in a message: it belongs to a patient.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from cxrnet.arrays import Float32
from cxrnet.model.record import Frozen, Width, check_names

MISSING_WORDS = frozenset({"nan", "na", "n/a", "<na>", "none", "null", "unknown", "unk", "-", "?"})
"""What stands for a value that is not known, in any case, besides an empty cell."""

MAX_DEVIATION = 20.0
"""Standard deviations from the mean beyond which a number is taken for a mistake, such as 999 for an age."""

Name = Annotated[str, Field(min_length=1)]


class Number(Frozen):
    """A column of numbers, standardised by the `mean` and standard deviation `sd` of the rows that were trained on."""

    kind: Literal["number"] = "number"
    name: Name
    mean: float
    sd: Annotated[float, Field(gt=0)]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs; the last says that the value is missing."""
        return self.name, f"{self.name} missing"

    def encode(self, text: str) -> list[float] | None:
        """Return all inputs but the last; None for what is no number, or farther than `MAX_DEVIATION` from the mean."""
        number = parse_number(text)
        distance = None if number is None else (number - self.mean) / self.sd
        return None if distance is None or abs(distance) > MAX_DEVIATION else [distance]


class Category(Frozen):
    """A column with one of some `categories`, which are compared without regard to upper and lower case."""

    kind: Literal["category"] = "category"
    name: Name
    categories: Annotated[tuple[Name, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _categories_differ(self) -> Self:
        check_names(tuple(one.casefold() for one in self.categories), what=f"categories of {self.name}")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs; the last says that the value is missing."""
        return *(f"{self.name} {category}" for category in self.categories), f"{self.name} missing"

    def encode(self, text: str) -> list[float] | None:
        """Return all inputs but the last; None for an unknown category."""
        matches = [float(one.casefold() == text.casefold()) for one in self.categories]
        return matches if any(matches) else None


Column = Annotated[Number | Category, Field(discriminator="kind")]


class Encoded(NamedTuple):
    """Patient data as the network takes it.

    `inputs` float32 [input]; `missing` and `unusable` name columns without a value, and with a value that is no number,
    an impossible one, or no known category, which counts as missing.
    """

    inputs: Float32
    missing: tuple[str, ...]
    unusable: tuple[str, ...]


class PatientConfig(Frozen):
    """The third input of Module 2 (paper 4): fitted `columns` in their order, and the width of the dense layer."""

    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    hidden: Width = 8

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_names(self.names, at_least=1, what="patient columns")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's inputs."""
        return tuple(name for column in self.columns for name in column.inputs)

    def encode(self, values: Mapping[str, str]) -> Encoded:
        """Return the inputs of the network for the values of one patient, by column, as text.

        A column that is left out, is empty or one of `MISSING_WORDS` is missing; other columns do not matter.
        """
        inputs: list[float] = []
        missing: list[str] = []
        unusable: list[str] = []
        for column in self.columns:
            text = values.get(column.name, "").strip()
            encoded = None if is_missing(text) else column.encode(text)
            if encoded is not None:
                inputs += [*encoded, 0.0]
                continue
            inputs += [0.0] * (len(column.inputs) - 1) + [1.0]
            (missing if is_missing(text) else unusable).append(column.name)
        return Encoded(np.array(inputs, np.float32), tuple(missing), tuple(unusable))


def is_missing(text: str) -> bool:
    """Return whether a cell says that a value is not known."""
    return not text.strip() or text.strip().casefold() in MISSING_WORDS


def parse_number(text: str) -> float | None:
    """Return the number in a cell; None for what is not a finite one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
