"""What a manifest says of its films, counted: sources, licences, patients; for the record of a training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cxrnet.data.manifest import Manifest, Sample
from cxrnet.model.facts import DataFacts, SourceFacts

LICENCE = ("license", "licence")
"""Columns, in any case, that give the terms under which a film may be used."""


def describe_films(manifest: Manifest, parts: Mapping[str, Sequence[Sample]], *, sha256: str) -> DataFacts:
    """Return the counts of the films of each part of a manifest, by source.

    A film with several masks counts once.

    Args:
        manifest: That they are of.
        parts: Split -> its samples.
        sha256: Digest of the samples, as in the record of the training.
    """
    licence = next((field for field in manifest.fields if field.lower() in LICENCE), None)
    sources = []
    for split, samples in parts.items():
        films = {sample.image: sample for sample in samples}
        members: dict[str, list[Sample]] = {}
        for sample in films.values():
            members.setdefault(sample.source, []).append(sample)
        sources += [_describe(split, name, members[name], licence) for name in sorted(members)]
    return DataFacts(manifest=manifest.path.name, sha256=sha256, sources=tuple(sources))


def _describe(split: str, source: str, films: Sequence[Sample], licence: str | None) -> SourceFacts:
    patients = {film.patient for film in films if film.patient is not None}
    return SourceFacts(
        split=split,
        source=source,
        films=len(films),
        groups=len({film.group for film in films}),
        patients=len(patients) if all(film.patient is not None for film in films) else None,
        licences=_count(film.values[licence] if licence else "" for film in films),
        labels=_count(film.label for film in films if film.label is not None),
        views=_count(film.view for film in films),
    )


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
