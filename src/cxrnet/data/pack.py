"""The prepared images and masks of a manifest in one HDF5 file, which every training reads (paper 2.2.2.1).

    X       uint8 [image, height, width]   images at the size of the networks, before histogram equalisation
    M       uint8 [image, height, width]   lung masks, 255 is certainly lung, or indices of classes; only where masks
                                           were asked for
    V       bool [image, height, width]    void pixels of the masks; only where there are any
    detail  float32 [image, 2704]          what near-duplicates are found by
    y       text [image]                   label, "" without one
    row     text [image]                   the row of the manifest as JSON

The attribute `key` is a digest of the files and of the preparation: a pack is read only for what it was made from.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from cxrnet.arrays import Bool, Float32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.examine import Look, examine, merge_problems, shared_masks
from cxrnet.data.manifest import Sample
from cxrnet.data.mask_values import AUTOMATIC, ClassValues, MaskValues
from cxrnet.data.masks import Mask, resize_classes, resize_mask, resize_void
from cxrnet.data.problem import Problem, problem_at
from cxrnet.data.reading import read_many
from cxrnet.errors import RadiographError, UsageError, require
from cxrnet.imaging import Radiograph
from cxrnet.imaging.preprocess import prepare, resize
from cxrnet.model.config import PreparationConfig
from cxrnet.parallel import cpu_count, parallel_map

_FORMAT = 2
_WAIT_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """Images of one size, in the order of the samples."""

    images: UInt8  # uint8 [image, height, width], before histogram equalisation
    # uint8 of that shape, 255 times the share of each pixel that is lung, or with `ClassValues` the index of its
    # class; None where none were asked for
    masks: UInt8 | None = None
    void: Bool | None = None  # bool of that shape, pixels of a mask that do not count; None where there are none
    # float32 [image, 2704], see `duplicates`
    details: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))
    problems: tuple[Problem, ...] = ()  # what is wrong or odd with the files; with errors the arrays are incomplete

    @property
    def has_errors(self) -> bool:
        """Whether a file could not be read, or a mask does not fit its image."""
        return any(problem.kind == "error" for problem in self.problems)


def open_pack(
    path: Path,
    samples: Sequence[Sample],
    preparation: PreparationConfig,
    *,
    digests: Sequence[str],
    with_masks: bool,
    values: MaskValues = AUTOMATIC,
    is_writer: bool = True,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pack:
    """The pack at `path`, made again unless it holds just these files, prepared in this way.

    Only one process of a training is the writer; the others wait for it.
    """
    size = [preparation.height, preparation.width, preparation.interpolation]
    content = [_FORMAT, size, with_masks and asdict(values), list(digests)]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    while (found := _read(path, key)) is None and not is_writer:
        time.sleep(_WAIT_SECONDS)
    if found is not None:
        return found
    _refuse_to_replace(path)
    pack = build_pack(samples, preparation, with_masks=with_masks, values=values, jobs=jobs, progress=progress)
    if not pack.has_errors:
        _write(path, key, pack, samples, preparation)
    return pack


def digest_files(samples: Sequence[Sample], *, with_masks: bool) -> list[str]:
    """The sha256 of the files of each sample; "" for a file that cannot be read, which reading then reports."""

    def digest(sample: Sample) -> str:
        sums = [_digest(path) for path in (sample.image, sample.mask if with_masks else None) if path is not None]
        return "-".join(sums)

    return list(parallel_map(digest, samples, jobs=cpu_count()))


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def build_pack(
    samples: Sequence[Sample],
    to: PreparationConfig,
    *,
    with_masks: bool,
    values: MaskValues = AUTOMATIC,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pack:
    """The images of some rows, read from their files; arguments are those of `open_pack`."""
    images = np.zeros((len(samples), to.height, to.width), np.uint8)
    masks = np.zeros_like(images) if with_masks else None
    void = np.zeros(images.shape, bool) if with_masks and values.void else None
    details: list[Float32] = []
    problems: list[Problem] = []
    looks: Iterator[Look] = read_many(
        lambda decoder, sample: examine(decoder, sample, values, with_mask=with_masks), samples, jobs=jobs
    )
    drawn: list[tuple[str, str] | None] = []
    for place, (sample, look) in enumerate(zip(samples, looks, strict=True)):
        problems += look.problems
        drawn.append(look.drawn)
        if look.detail is not None:
            details.append(look.detail)
        if look.radiograph is not None:
            try:
                images[place] = _resized(look.radiograph, to)
            except RadiographError as error:
                problems.append(problem_at((sample,), "error", "IMAGE", f"image {error}"))
        if masks is not None and look.mask is not None:
            masks[place] = _resized_mask(look.mask, values, to)
            if void is not None and look.mask.void is not None:
                void[place] = resize_void(look.mask.void, to.height, to.width)
        elif masks is not None and sample.mask is None:
            problems.append(problem_at((sample,), "error", "NO_MASK", "has no mask; give one, or choose with --where"))
        progress(place + 1, len(samples))
    problems += shared_masks(samples, drawn)
    stacked = np.stack(details) if details else np.empty((0, 0), np.float32)
    return Pack(images=images, masks=masks, void=void, details=stacked, problems=tuple(merge_problems(problems)))


def _resized_mask(mask: Mask, values: MaskValues, to: PreparationConfig) -> UInt8:
    """The mask, or the label map, at the size of the networks."""
    if isinstance(values, ClassValues) and mask.classes is not None:
        return resize_classes(mask.classes, len(values.classes), to.height, to.width)
    return resize_mask(mask.lung, to.height, to.width)


def _resized(radiograph: Radiograph, to: PreparationConfig) -> UInt8:
    """The image that `prepare` equalises, uint8 [height, width]; refused where nothing but one grey is left."""
    prepare(radiograph.pixels, height=to.height, width=to.width, interpolation=to.interpolation, name=radiograph.name)
    resized = resize(radiograph.pixels, to.height, to.width, to.interpolation)
    return np.asarray(np.rint(np.abs(resized)), np.uint8)


def _read(path: Path, key: str) -> Pack | None:
    """The pack with this key; None where there is no such file, or it is damaged."""
    if not path.is_file():
        return None
    with require("train", "packs"):
        import h5py
    try:
        with h5py.File(path, "r") as file:
            if file.attrs["key"] != key:
                return None
            problems = (Problem(**{**one, "lines": tuple(one["lines"])}) for one in json.loads(file.attrs["problems"]))
            return Pack(
                images=file["X"][:],
                masks=file["M"][:] if "M" in file else None,
                void=file["V"][:] if "V" in file else None,
                details=file["detail"][:],
                problems=tuple(problems),
            )
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):  # what h5py raises on a damaged file
        return None


def _refuse_to_replace(path: Path) -> None:
    """Refuse to write where another file is: what begins as HDF5 and cannot be opened may be a damaged pack.

    Raises:
        UsageError: There is a file that is no pack.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    with require("train", "packs"):
        import h5py
    with path.open("rb") as file:
        is_other = file.read(8) != b"\x89HDF\r\n\x1a\n"
    try:
        with h5py.File(path, "r") as file:
            is_other = "key" not in file.attrs
    except (OSError, ValueError, RuntimeError):
        pass
    if is_other:
        raise UsageError(f"{path}: is there and is no pack of cxrnet; name another file, or remove it")


def _write(path: Path, key: str, pack: Pack, samples: Sequence[Sample], preparation: PreparationConfig) -> None:
    with require("train", "packs"):
        import h5py
    buffer = io.BytesIO()  # HDF5 crashes the process where it cannot write, for example on a full disk
    with h5py.File(buffer, "w") as file:
        for name, array in (("X", pack.images), ("M", pack.masks), ("V", pack.void)):
            if array is not None:
                file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]), fletcher32=True)
        file.create_dataset("detail", data=pack.details)
        rows = [json.dumps(dict(sample.values), ensure_ascii=False) for sample in samples]
        for name, texts in (("y", [sample.label or "" for sample in samples]), ("row", rows)):
            file.create_dataset(name, data=texts, dtype=h5py.string_dtype())
        file.attrs["preparation"] = preparation.model_dump_json()
        file.attrs["problems"] = json.dumps([asdict(problem) for problem in pack.problems])
        file.attrs["key"] = key
    write_atomic(path, buffer.getvalue())
