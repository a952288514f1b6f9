"""`cxrnet export-web`: the page with a model inside, as one file or as a folder."""

from pathlib import Path

import typer


def export_web(
    out: Path = typer.Option(..., "--out", "-o", help="File to write, or folder with --folder.", show_default=False),
    bundle: str = typer.Option("covid", "--bundle", "-b", help="Model bundle: a name or a path."),
    compare_with: str | None = typer.Option(
        None, help="Second bundle, whose findings the page shows next to those of the first.", show_default=False
    ),
    folder: bool = typer.Option(False, "--folder", help="Write a folder for static hosting, with threads."),
) -> None:
    """Write the page that screens in the browser, with the model inside.

    The single file opens without a server or a network, and nothing leaves the browser. Research use only.
    """
    from cxrnet.errors import UsageError
    from cxrnet.model.registry import open_bundle
    from cxrnet.web.export import export_file, export_folder

    if not folder and out.is_dir():
        raise UsageError(f"--out {out}: is a folder; name a file, or add --folder")
    model = open_bundle(bundle)
    other = None if compare_with is None else open_bundle(compare_with)
    size = (export_folder if folder else export_file)(model, out, other=other)
    typer.echo(f"{out}: {size / 1e6:.1f} MB, model {model.label}")
