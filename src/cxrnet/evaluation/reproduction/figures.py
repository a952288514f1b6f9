"""Figures of single images and of the wavelets, written to the folder of their step."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from cxrnet.atomic import write_atomic
from cxrnet.evaluation.reproduction.drawings import draw_scattering, draw_scattering_tree, draw_wavelets
from cxrnet.evaluation.reproduction.task import Picture, Section, Task
from cxrnet.export.bundle import load_network
from cxrnet.export.pretrained import prepare_image
from cxrnet.model.bundle import Bundle
from cxrnet.parallel import cpu_count
from cxrnet.plots.chart import png
from cxrnet.screening.finding import Finding
from cxrnet.screening.pipeline import Pipeline


def wavelet_section(task: Task, folder: Path, bundle: Bundle, finding: Finding | None) -> Section:
    """Return Fig. 2, with the tree of one image if there is one."""
    assert bundle.config.classifier is not None
    scattering = bundle.config.classifier.scattering
    caption = "Fig. 2a: the wavelets by scale and angle (hue: phase, brightness: magnitude) and the averaging filter."
    pictures = [save_picture(task, folder, "wavelets", draw_wavelets(scattering), caption)]
    has_tree = scattering.order == 2 and scattering.J > 1
    if has_tree and finding is not None and finding.radiograph is not None:
        image = prepare_image(finding.radiograph, bundle.config.preparation)
        caption = (
            f"Fig. 2b: {caption_of(finding)} and its wavelet moduli (red); their averages are the coefficients of "
            "order 0, 1 and 2 (blue). Drawn for the finest scale, and for order 2 after the angle that responds most."
        )
        pictures.append(save_picture(task, folder, "scattering-tree", draw_scattering_tree(image, scattering), caption))
    return Section(title="Fig. 2: wavelets", pictures=tuple(pictures))


def coefficient_section(task: Task, folder: Path, bundle: Bundle, finding: Finding) -> Section:
    """Return Fig. 10 of one image."""
    network = load_network(bundle)
    assert finding.radiograph is not None
    image = prepare_image(finding.radiograph, bundle.config.preparation)
    with torch.inference_mode():
        output = network(torch.from_numpy(image[None].copy()))
    coefficients, mask = output.scattering[0].numpy(), output.lung_mask[0].numpy()
    figure = draw_scattering(image, coefficients, mask, network.scattering.paths)
    caption = (
        f"Fig. 10: {caption_of(finding)}, its {len(coefficients)} coefficients of {coefficients.shape[1]} x "
        f"{coefficients.shape[2]} (scale and angle of each wavelet on the path), and the lung mask."
    )
    return Section(
        title="Fig. 10: scattering coefficients",
        pictures=(save_picture(task, folder, "scattering", figure, caption),),
    )


def caption_of(finding: Finding) -> str:
    """Return the name of an image, short."""
    return Path(finding.input).name[:30]


def open_pipeline(task: Task, bundle: Bundle) -> Pipeline:
    """Return the pipeline of a bundle; close it at the end."""
    return Pipeline(bundle, threads=max(1, cpu_count() // task.jobs))


def save_picture(task: Task, folder: Path, name: str, figure: Figure, caption: str) -> Picture:
    """Write a figure to the folder of a step and return its entry in the report."""
    write_atomic(folder / f"{name}.png", png(figure))
    return Picture(file=f"{folder.relative_to(task.out)}/{name}.png", caption=caption)
