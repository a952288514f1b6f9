"""`cxrnet pacs`: fetch studies from a DICOMweb server, and store files there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrnet.errors import PacsError, UsageError, require

if TYPE_CHECKING:
    from cxrnet.node.dicomweb import DICOMwebServer

URL = typer.Option(..., help="Root URL of the server, for example https://host/dicom-web.", show_default=False)
CA = typer.Option(None, "--ca", help="CA bundle (PEM) to use instead of the system's.", show_default=False)

app = typer.Typer(
    name="pacs",
    help="Fetch studies from a DICOMweb server, and store files there. Credentials come from the environment: "
    "CXRNET_PACS_AUTHORIZATION (a whole header), or CXRNET_PACS_USER and CXRNET_PACS_PASSWORD.",
    no_args_is_help=True,
)


@app.command()
def pull(
    url: str = URL,
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the files.", show_default=False),
    study: list[str] = typer.Option([], help="Study Instance UID (repeatable).", show_default=False),
    query: list[str] = typer.Option(
        [], help="KEYWORD=VALUE, for example StudyDate=20240101-20240131 (repeatable).", show_default=False
    ),
    modality: list[str] = typer.Option([], help="Only series of this modality (repeatable).", show_default="any"),
    limit: int = typer.Option(100, min=1, help="Maximum number of studies that a query fetches."),
    ca: Path | None = CA,
) -> None:
    """Fetch the instances of studies into OUT/<study>/<instance>.dcm.

    File names are digests of the UIDs, so that results hold no identifier.
    """
    server = _server(url, ca)
    from cxrnet.node.log import digest

    if bool(study) == bool(query):
        raise UsageError("pull: needs either --study or --query")
    studies = [_uid(text) for text in study]
    filters = dict(_filter(each) for each in query)
    done = failed = 0
    try:
        found = studies or server.studies(filters, limit=limit)
    except PacsError as error:
        _report(error)
        raise typer.Exit(1) from error
    for uid in found:
        try:
            instances = server.instances(uid, modalities=modality)
            if not instances:
                raise PacsError("NOT_FOUND", f"{digest(uid)}: no such instances; check the UID and --modality")
        except PacsError as error:
            _report(error)
            failed += 1
            continue
        for instance in instances:
            try:
                server.save(instance, out)
                done += 1
            except PacsError as error:
                _report(error, f"{digest(instance.instance)}: ")
                failed += 1
    typer.echo(f"{len(found)} studies: {done} instances fetched, {failed} failed; {out}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def push(
    files: list[Path] = typer.Argument(..., metavar="FILE...", help="DICOM files, or folders of them."),
    url: str = URL,
    ca: Path | None = CA,
) -> None:
    """Store DICOM files on a server."""
    server = _server(url, ca)
    done = failed = 0
    for path in _find_files(files):
        try:
            server.send([path])
            done += 1
        except PacsError as error:
            _report(error)
            failed += 1
    typer.echo(f"{done + failed} files: {done} stored, {failed} failed; {server.name}")
    raise typer.Exit(1 if failed else 0)


def _server(url: str, ca: Path | None) -> DICOMwebServer:
    with require("dicom", "pacs"):
        from cxrnet.node.dicomweb import DICOMwebServer
    if ca is not None and not ca.is_file():
        raise UsageError(f"--ca {ca}: no such file; give a CA bundle in PEM form")
    return DICOMwebServer(url, authorities=ca)


def _uid(text: str) -> str:
    from cxrnet.imaging.attributes import is_uid

    if not is_uid(text):
        raise UsageError(f"--study {text}: is not a UID; digits and points are accepted, as in 1.2.840.1")
    return text


def _filter(text: str) -> tuple[str, str]:
    from pydicom.datadict import tag_for_keyword

    keyword, is_pair, value = text.partition("=")
    if not is_pair or not value or tag_for_keyword(keyword) is None:
        raise UsageError(
            f"--query {text}: is not KEYWORD=VALUE; the keywords are DICOM's, as in StudyDate=20240101-20240131"
        )
    return keyword, value


def _find_files(named: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in named:
        inside = (each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        found += sorted(inside) if path.is_dir() else [path]
    return found


def _report(error: PacsError, name: str = "") -> None:
    typer.echo(f"ERROR {error.code} {name}{error}", err=True)
