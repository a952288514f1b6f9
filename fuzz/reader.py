"""Fuzzes the reader: whatever the bytes, a radiograph or one line, and nothing else.

    python fuzz/reader.py cover --runs 200000    guided by coverage (atheris), in process, from files of every kind
    python fuzz/reader.py flip --runs 20000      bits flipped in frames of each codec, by the reader with its child

`cover` looks for faults of our own code and of pydicom: an exception that is not a `RadiographError`, a line that is
not printable, pixels out of range, a hang. Decoders of frames that are written in C give blanks there: coverage does
not see into them, and GDCM ends the whole process on some damaged frames. `flip` is for those: a decoder that dies is
an answer (`DECODER_DIED`), as long as the next file is read. Both print their figures as they go; what was found is
kept in `.fuzz/found`, and the exit code is not 0.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import io
import json
import logging
import os
import random
import re
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
PLACE = Path(os.environ.get("CXRNET_FUZZ", ROOT / ".fuzz"))
FOUND = PLACE / "found"
SECONDS = 10
"""After which a run is a hang."""

MOST_BYTES = 200_000
"""Of a seed, and of what is made of it: larger ones are slow and show nothing new."""

sys.path.insert(0, str(ROOT))


def read(data: bytes) -> str:
    """Return how reading ended: `read` or the code of a refusal. Anything else is raised."""
    from cxrnet.errors import RadiographError
    from cxrnet.imaging.files import _read_source
    from cxrnet.imaging.radiograph import Limits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            radiograph = _read_source(io.BytesIO(data), name="image", limits=Limits(), identifiers=True)
        except RadiographError as error:
            if not str(error).isprintable():
                raise AssertionError("a line that is not printable") from error
            return str(error.code)
        except MemoryError:
            return "DECODER_MEMORY"
    low, high = float(radiograph.pixels.min()), float(radiograph.pixels.max())
    if not 0 <= low < high <= 255:
        raise AssertionError(f"pixels from {low} to {high}")
    return "read"


def seeds() -> dict[str, bytes]:
    """Return name -> bytes of whole files of every kind: pydicom's test files, and ours of each codec and format."""
    import pydicom

    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    found = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix == ".dcm"}
    found |= codec_seeds()
    return {name: data for name, data in found.items() if len(data) <= MOST_BYTES}


def codec_seeds() -> dict[str, bytes]:
    """Return name -> bytes of the synthetic image in each transfer syntax and format."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tests.hostile.inputs import codecs, files, pictures
        from tests.hostile.inputs.material import plain, png

        found = {name: make() for name, make in (codecs.FRAMES | files.FRAMES).items()}
        found |= {"plain": plain(), "png": png()}
        found |= {kind.lower(): pictures.saved(kind) for kind in ("JPEG", "TIFF", "WEBP", "BMP", "GIF")}
        return found | tiff_seeds()


def tiff_seeds() -> dict[str, bytes]:
    """Return name -> bytes of a ramp as TIFF in each sample format, with alpha, and with a thumbnail."""
    import tifffile

    ramp = np.add.outer(np.arange(70), np.arange(80))
    found = {}
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8"):
        tifffile.imwrite(buffer := io.BytesIO(), ramp.astype(kind), photometric="minisblack")
        found[f"tiff-{kind}"] = buffer.getvalue()
    pair = np.stack([ramp, ramp], -1).astype("u2")
    tifffile.imwrite(buffer := io.BytesIO(), pair, photometric="minisblack", extrasamples=["unassalpha"])
    found["tiff-alpha"] = buffer.getvalue()
    with tifffile.TiffWriter(buffer := io.BytesIO()) as file:
        for step, kind in ((1, 0), (4, 1)):
            page = np.ascontiguousarray(ramp[::step, ::step], "u1")
            file.write(page, photometric="minisblack", subfiletype=kind)
    return found | {"tiff-thumbnail": buffer.getvalue()}


def keep(data: bytes, problem: str) -> Path:
    """Return where an input that should not have done what it did is kept."""
    FOUND.mkdir(parents=True, exist_ok=True)
    kind = re.sub(r"\W.*", "", problem) or "fault"
    path = FOUND / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def cover(runs: int, seed: int) -> None:
    """Fuzz with coverage as a guide; ends the process."""
    import atheris

    loaded = [name for name in sys.modules if name.startswith(("cxrnet", "pydicom"))]
    if loaded:  # coverage does not see into them, and without it nothing but noise is tried
        raise RuntimeError(f"{loaded[0]} was imported before it could be instrumented")
    with atheris.instrument_imports(include=["cxrnet.imaging", "pydicom", "tifffile", "PIL"]):
        import PIL.Image
        import pydicom.pixels  # noqa: F401
        import tifffile  # noqa: F401

        from cxrnet.imaging import decoder_process, dicom, files, label_map, raster  # noqa: F401

        PIL.Image.init()  # the formats

    corpus = PLACE / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    FOUND.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (corpus / f"seed-{name}").write_bytes(data)
    leave_out_codecs()
    logging.disable()  # tifffile has a line for every damaged tag
    decoder_process.limit_memory(1536 * 2**20)
    ends: Counter[str] = Counter()
    began = time.monotonic()

    last = PLACE / "last"

    def test(data: bytes) -> None:
        last.write_bytes(data)  # what a crash of this process was made by
        try:
            ends[read(data)] += 1
        except BaseException as error:
            print(f"{keep(data, type(error).__name__)}: {error}", file=sys.stderr, flush=True)
            raise
        if ends.total() % 1000 == 0:
            tell(runs=ends.total(), found=0, ends=ends, seconds=time.monotonic() - began)

    limits = [f"-timeout={SECONDS}", "-rss_limit_mb=0", "-malloc_limit_mb=0", f"-max_len={MOST_BYTES}"]
    words = [f"-runs={runs}", f"-seed={seed + 1}", *limits, "-print_final_stats=1", f"-artifact_prefix={FOUND}/"]
    atheris.Setup([sys.argv[0], *words, str(corpus)], test)
    atheris.Fuzz()


def leave_out_codecs() -> None:
    """Have the decoders of compressed frames return blanks of the size that they should."""
    import numpy as np

    from cxrnet.imaging import frame

    decode = frame._decode

    def blank(dataset: Any, decoder: Any, name: str) -> Any:
        if decoder.UID in frame._WITH_FRAME_HEADER:
            return np.zeros((dataset.Rows, dataset.Columns), np.uint16)
        return decode(dataset, decoder, name)

    frame._decode = blank
    frame.decode_extended = lambda _, height, width: np.zeros((height, width), np.uint16)


def flip(runs: int, seed: int) -> int:
    """Flip bits in frames of each codec, `runs` over all; return the number of inputs that were kept."""
    from cxrnet.errors import RadiographError
    from cxrnet.imaging import Decoder

    whole = codec_seeds()
    chance, ends, found = random.Random(seed), Counter(), 0
    began, path = time.monotonic(), PLACE / "last"
    with Decoder() as decoder:
        for run in range(1, runs + 1):
            data = flipped(whole[sorted(whole)[run % len(whole)]], chance)
            path.write_bytes(data)
            problem, start = "", time.monotonic()
            try:
                decoder.read(path)
                ends["read"] += 1
            except RadiographError as error:
                ends[error.code] += 1
                is_sound = str(error).isprintable() and "fault of cxrnet" not in str(error)
                problem = "" if is_sound else str(error)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() - start > SECONDS:
                problem = f"longer than {SECONDS} s"
            if problem:
                print(f"{keep(data, problem)}: {problem}", file=sys.stderr, flush=True)
                found += 1
            if run % 1000 == 0 or run == runs:
                tell(runs=run, found=found, ends=ends, seconds=time.monotonic() - began)
    return found


def flipped(whole: bytes, chance: random.Random) -> bytes:
    """Return a file with a few bits flipped, now and then in its head, or cut off."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 2, 4, 16, 64))):
        end = 200 if chance.random() < 0.1 else len(data)
        data[chance.randrange(end)] ^= 1 << chance.randrange(8)
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


def tell(*, runs: int, found: int, ends: Counter[str], seconds: float) -> None:
    """Print the figures so far as one line, and keep it."""
    rate = round(runs / max(seconds, 1e-9))
    line = json.dumps({"runs": runs, "found": found, "runs_per_second": rate, "ends": dict(ends.most_common())})
    with contextlib.suppress(OSError):
        (PLACE / "figures.json").write_text(line + "\n")
    print(line, flush=True)


def main() -> None:
    """Fuzz as the command line says."""
    faulthandler.enable()
    parser = argparse.ArgumentParser(description="Fuzz the reader")
    parser.add_argument("how", choices=("cover", "flip"))
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    if chosen.how == "cover":
        cover(chosen.runs, chosen.seed)
    sys.exit(1 if flip(chosen.runs, chosen.seed) else 0)


if __name__ == "__main__":
    main()
