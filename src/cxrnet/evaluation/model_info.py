"""What an evaluation is about: a bundle, or the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cxrnet.model.bundle import Bundle
from cxrnet.screening.finding import identity


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated.

    Attributes:
        identity: `name`, `version` and `sha256`.
        label: For people.
        description: One line for people.
        classes: Names of the classes; empty without a classifier.
        lungs_include_heart: Whether its lung masks run behind the heart; None where that is not asked.
    """

    identity: Mapping[str, str]
    label: str
    description: str
    classes: tuple[str, ...]
    lungs_include_heart: bool | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return what a bundle is."""
        config = bundle.config
        return cls(
            identity=identity(bundle),
            label=bundle.label,
            description=config.description,
            lungs_include_heart=config.lungs_include_heart,
            classes=() if config.classifier is None else config.classifier.classes,
        )
