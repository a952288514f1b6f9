"""One row of a manifest with its files: the image, its mask, and what is wrong with them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxrnet.arrays import Float32
from cxrnet.data.duplicates import detail
from cxrnet.data.manifest import Sample
from cxrnet.data.mask_values import AUTOMATIC, MaskValues
from cxrnet.data.masks import Mask, check_mask_size, read_mask
from cxrnet.data.problem import Kind, Problem, name_lines, problem_at
from cxrnet.errors import RadiographError
from cxrnet.imaging import Decoder, Radiograph

MAX_LUNG_SHARE = 0.75
"""Share of the image above which a mask is doubted: the lungs of a chest radiograph cover a third."""

MIN_SHARED = 3
"""Different images from which on a shared mask is doubted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What reading one row gave."""

    radiograph: Radiograph | None  # None where it cannot be read
    mask: Mask | None  # None where the row has none, or it cannot be used
    detail: Float32 | None  # of the image, see `duplicates`; None where it cannot be read
    problems: tuple[Problem, ...]  # errors, warnings and notes about this row

    @property
    def drawn(self) -> tuple[str, str] | None:
        """Digests of what the mask has as lung and of the image file; None without a lung."""
        if self.radiograph is None or self.mask is None or self.mask.is_empty:
            return None
        return hashlib.sha256(self.mask.lung.tobytes()).hexdigest(), self.radiograph.sha256


def examine(decoder: Decoder, sample: Sample, values: MaskValues = AUTOMATIC, *, with_mask: bool = True) -> Look:
    """The files of a row, and what is wrong with them; the mask has to have the size of its image."""
    problems: list[Problem] = []

    def add(kind: Kind, code: str, text: str) -> None:
        problems.append(problem_at((sample,), kind, code, text))

    radiograph = mask = None
    try:
        radiograph = decoder.read(sample.image)
    except RadiographError as error:
        add("error", "IMAGE", f"image {error}")
    if with_mask and sample.mask is not None:
        try:
            mask = read_mask(decoder, sample.mask, values)
            if radiograph is not None:
                check_mask_size(mask, radiograph, name=sample.mask.name)
        except RadiographError as error:
            mask = None
            code = error.code if error.code in ("MASK_SIZE", "MASK_ORIENTATION", "MASK_VALUES") else "MASK"
            add("error", code, f"mask {error}")
    if mask is not None and sample.mask is not None:
        if mask.is_empty:
            add("warning", "EMPTY_MASK", f"mask {sample.mask.name} has no lung")
        elif (mask.lung > 127).mean() > MAX_LUNG_SHARE:
            share = f"{(mask.lung > 127).mean():.0%}"
            add("warning", "MASK_AREA", f"mask {sample.mask.name} covers {share} of its image; it may be inverted")
        if mask.labels and not values.lung:
            add("note", "LABEL_MAP", f"mask {sample.mask.name} is a label map; {mask.labels} are taken as lung")
    shown = None if radiograph is None else detail(radiograph.pixels)
    return Look(radiograph=radiograph, mask=mask, detail=shown, problems=tuple(problems))


def shared_masks(samples: Sequence[Sample], drawn: Sequence[tuple[str, str] | None]) -> Iterator[Problem]:
    """Warn of one mask on several images, pixel by pixel: no hand draws it again, so that names were mixed up."""
    rows: dict[str, list[tuple[Sample, str]]] = {}
    for sample, found in zip(samples, drawn, strict=True):
        if found is not None:
            rows.setdefault(found[0], []).append((sample, found[1]))
    for alike in rows.values():
        if len({image for _, image in alike}) >= MIN_SHARED:
            text = "the masks are the same on different images, pixel by pixel; give each image its own"
            yield problem_at([sample for sample, _ in alike], "warning", "SHARED_MASK", text)


def merge_problems(problems: Sequence[Problem]) -> list[Problem]:
    """One problem for all rows with an empty mask, and one for all label maps; the others as they are."""
    texts = {"EMPTY_MASK": "masks have no lung", "LABEL_MAP": "masks are label maps; every value but 0 is lung"}
    merged = [problem for problem in problems if problem.code not in texts]
    for code, text in texts.items():
        alike = [problem for problem in problems if problem.code == code]
        if len(alike) < 2:
            merged += alike
            continue
        lines = tuple(line for problem in alike for line in problem.lines)
        whole = f"{name_lines(lines)}: {len(alike)} {text}"
        merged.append(Problem(kind=alike[0].kind, code=code, text=whole, lines=lines))
    return merged
