"""What a manifest says of its images, counted: sources, licences, patients; for the record of a training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.model.facts import DataFacts, SourceFacts

LICENCE = ("license", "licence")
"""Columns, in any case, that give the terms under which an image may be used."""


def describe_images(manifest: Manifest, parts: Mapping[str, Sequence[Sample]], *, sha256: str) -> DataFacts:
    """Return the counts of the images of each part of a manifest, by source.

    An image with several masks counts once.
    """
    licence = next((field for field in manifest.fields if field.lower() in LICENCE), None)
    sources = []
    for split, samples in parts.items():
        images = {sample.identity: sample for sample in samples}
        members: dict[str, list[Sample]] = {}
        for sample in images.values():
            members.setdefault(sample.source, []).append(sample)
        sources += [_describe(split, name, members[name], licence) for name in sorted(members)]
    return DataFacts(manifest=manifest.path.name, sha256=sha256, sources=tuple(sources))


def _describe(split: str, source: str, images: Sequence[Sample], licence: str | None) -> SourceFacts:
    patients = {image.patient_key for image in images}
    return SourceFacts(
        split=split,
        source=source,
        images=len(images),
        groups=len(set(group_ids(images).tolist())),
        patients=None if "" in patients else len(patients),
        licences=_count(image.values[licence] if licence else "" for image in images),
        labels=_count(image.label for image in images if image.label is not None),
        views=_count(image.view for image in images),
    )


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
