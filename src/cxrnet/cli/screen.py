"""`cxrnet screen`: scores, lungs and heat maps of radiographs."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from cxrnet.imaging.decoding import Decoder
    from cxrnet.screening.batch import Outcome
    from cxrnet.screening.inputs import Input
    from cxrnet.screening.pipeline import Pipeline

ENGINES = ("local", "ray")
INPUTS = typer.Argument(
    ..., metavar="INPUT...", help="Files, folders, patterns, or a CSV manifest.", show_default=False
)
OUT = typer.Option(..., "--out", "-o", help="Folder for the results.", show_default=False)
BUNDLE = typer.Option("covid", "--bundle", "-b", help="Name of a bundle, or its folder.")
JOBS = typer.Option(None, "--jobs", "-j", min=1, max=64, help="Images worked on at once; default: one a core.")
COLUMN = typer.Option("image", "--image-column", help="Column of the manifest that holds the paths.")
PROVIDER = typer.Option(
    "cpu", metavar="NAME", help="What runs the networks: cpu, openvino, cuda, coreml; all but cpu must be installed."
)
RESUME = typer.Option(False, "--resume", help="Take up a run that was stopped or killed: what is done stays.")
IDENTIFIERS = typer.Option(
    False, "--include-identifiers", help="Write patient ID, accession number and UIDs into records and tables."
)


def find_inputs(named: list[str], image_column: str, out: Path) -> Sequence[Input]:
    """Return the images behind what the user named, and say how many files in folders are left out."""
    from cxrnet.screening.inputs import gather

    found = gather(named, image_column=image_column, leave_out=out)
    if found.skipped:
        typer.echo(f"{found.skipped} files in folders are no images by their names and are left out", err=True)
    return found.items


@contextmanager
def started_reader(identifiers: bool) -> Iterator[Decoder]:
    """Give a reader whose process gets ready while the rest is imported and opened: that takes as long."""
    from cxrnet.imaging.decoding import Decoder

    with Decoder(identifiers=identifiers) as decoder:
        decoder.start()
        yield decoder


@contextmanager
def open_pipeline(
    bundle: str,
    jobs: int | None,
    items: Sequence[Input],
    *,
    identifiers: bool = False,
    provider: str = "cpu",
    decoder: Decoder | None = None,
) -> Iterator[tuple[Pipeline, int]]:
    """Give a pipeline, and how many images are worked on at once; the cores are shared between them."""
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.pipeline import Pipeline

    jobs = min(jobs or cpu_count(), len(items))
    threads = max(1, cpu_count() // jobs)
    with Pipeline.load(
        bundle, threads=threads, identifiers=identifiers, provider=provider, decoder=decoder
    ) as pipeline:
        yield pipeline, jobs


def screen(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("json,png", help="Comma-separated: json, png, npz, npz-full; DICOM: seg, sr, sc, gsps."),
    jobs: int | None = JOBS,
    mend: bool = typer.Option(False, "--mend", help="Put inverted and turned films right where there is no doubt."),
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
    engine: str = typer.Option("local", metavar="NAME", help="Who shares the work out: local, or ray (a cluster)."),
    provider: str = PROVIDER,
) -> None:
    """Score radiographs, with lung masks and heat maps.

    Writes OUT/findings.csv, a row an input, and per input OUT/<name>/finding.json, lungs.png and panel.png; and DICOM
    objects for a PACS where --save names them (docs/reference/dicom-objects.md).
    """
    with started_reader(include_identifiers) as decoder:
        from cxrnet.cli.progress import follow
        from cxrnet.model.session import check_provider
        from cxrnet.node.objects import OBJECTS, check_installed, write_objects
        from cxrnet.screening.batch import screen_archive
        from cxrnet.screening.outputs import parse_saves

        kinds = parse_saves(save, OBJECTS)
        if kinds & OBJECTS.keys():
            check_installed()
        check_engine(engine)
        check_provider(provider)
        found = find_inputs(inputs, image_column, out)
        how: dict[str, Any] = {"mend": mend, "resume": resume, "further": write_objects}
        if engine == "ray":
            decoder.close()
            outcomes = on_a_cluster(bundle, found, out, jobs, kinds, include_identifiers, provider, how)
            raise typer.Exit(follow(outcomes, total=len(found), table=out / "findings.csv"))
        with open_pipeline(
            bundle, jobs, found, identifiers=include_identifiers, provider=provider, decoder=decoder
        ) as (pipeline, jobs):
            outcomes = screen_archive(pipeline, found, out, save=kinds, jobs=jobs, **how)
            code = follow(outcomes, total=len(found), table=out / "findings.csv")
    raise typer.Exit(code)


def check_engine(engine: str) -> None:
    """Refuse an engine that there is not.

    Raises:
        UsageError: It is not known.
    """
    from cxrnet.errors import UsageError

    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: is not known; choose from {', '.join(ENGINES)}")


def on_a_cluster(
    bundle: str,
    items: Sequence[Input],
    out: Path,
    workers: int | None,
    kinds: frozenset[str],
    identifiers: bool,
    provider: str,
    how: Mapping[str, Any],
) -> Generator[Outcome]:
    """Return the outcomes of a Ray cluster; without a number of workers each core of this machine is one."""
    from cxrnet.model.registry import open_bundle
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.ray_backend import Order, screen_cluster

    folder = str(open_bundle(bundle).folder.absolute())  # workers have other working directories
    order = Order(bundle=folder, out=out.absolute(), save=kinds, identifiers=identifiers, provider=provider, **how)
    return screen_cluster(order, items, workers=workers or cpu_count())
