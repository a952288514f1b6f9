"""Made-up radiographs and a small network that finds lungs on them, for the tests of several packages."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch.nn import functional

from cxrnet.model.config import (
    BundleConfig,
    ClassifierConfig,
    PreparationConfig,
    SegmenterConfig,
    Standardisation,
)
from cxrnet.model.gate_runtime import GATE_SIZE, METADATA, GateFacts
from cxrnet.model.patient import Category, Number, PatientConfig
from cxrnet.nn.network import Network

SMALL = BundleConfig(
    name="small",
    version="0.1",
    description="Two random folds behind a segmenter that knows made-up radiographs; for tests",
    lungs_include_heart=False,
    preparation=PreparationConfig(height=64, width=72),
    segmenter=SegmenterConfig(filters=4, blocks=2),
    classifier=ClassifierConfig(filters=4, blocks=2),
    folds=2,
    standardisation=Standardisation(mean=127.5, std=74.0),
)

PATIENT = PatientConfig(
    columns=(
        Number(name="Age", mean=50.0, sd=20.0),
        Category(name="sex", categories=("Female", "Male")),
        Category(name="view", categories=("AP", "PA")),
    )
)


def draw_xray(seed=0, *, height=64, width=72):
    """Return a made-up radiograph, uint8 [height, width], histogram-equalised, and its lungs, bool [height, width]."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    lungs = np.zeros((height, width), dtype=bool)
    for middle in (0.27, 0.73):
        row, column = np.array([0.5, middle]) + chance.uniform(-0.03, 0.03, 2)
        tall, wide = chance.uniform(0.3, 0.36), chance.uniform(0.14, 0.19)
        lungs |= ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1
    grey = np.where(lungs, 70.0, 170.0) + 20 * np.sin(40 * rows) * lungs + 40 * rows
    noisy = cv2.GaussianBlur(grey, (0, 0), height / 64) + chance.normal(0, 8, grey.shape)
    return cv2.equalizeHist(noisy.clip(0, 255).astype(np.uint8)), lungs


CLASSES = ("background", "right lung", "left lung", "heart")


def label_map(lungs):
    """Return the `CLASSES` of a made-up radiograph, uint8 [height, width]: its two lungs, and a heart between them."""
    labels = np.where(np.arange(lungs.shape[1]) < lungs.shape[1] / 2, lungs * 1, lungs * 2).astype(np.uint8)
    rows, columns = np.mgrid[0 : 1 : 1j * lungs.shape[0], 0 : 1 : 1j * lungs.shape[1]]
    labels[~lungs & (rows > 0.4) & (rows < 0.8) & (abs(columns - 0.5) < 0.2)] = 3
    return labels


def randomised(module, *, seed=0):
    """Return `module` in evaluation mode with random weights and batch norm statistics, as if trained."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = max(parameter[0].numel(), 1)
            parameter.copy_(torch.randn(parameter.shape, generator=chance) / fan_in**0.5)
        for norm in (part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)):
            for tensor, low, high in (
                (norm.weight, 0.5, 1.5),
                (norm.running_var, 0.5, 1.5),
                (norm.running_mean, -0.3, 0.3),
            ):
                tensor.copy_(torch.rand(tensor.shape, generator=chance) * (high - low) + low)
    return module.eval()


def trained(segmenter, *, steps=30):
    """Return `segmenter` after seconds of training on made-up radiographs, its batch norm statistics left alone."""
    xrays = [draw_xray(seed) for seed in range(4)]
    images = torch.stack([torch.from_numpy(image) for image, _ in xrays]).unsqueeze(1) / 255
    lungs = torch.stack([torch.from_numpy(mask) for _, mask in xrays]).float()
    classes = torch.stack([torch.from_numpy(label_map(mask)) for _, mask in xrays]).long()
    optimiser = torch.optim.Adam(segmenter.parameters(), lr=0.02)
    segmenter.eval()
    for _ in range(steps):
        optimiser.zero_grad()
        if segmenter.config.classes == CLASSES:
            functional.cross_entropy(segmenter.logits(images), classes).backward()
        else:
            probability = segmenter.lung_probability(images).clamp(1e-6, 1 - 1e-6)
            functional.binary_cross_entropy(probability, lungs).backward()
        optimiser.step()
    optimiser.zero_grad()
    return segmenter


def small_network(config=SMALL):
    """Return the network of the bundle `small`: the same at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = randomised(Network(config))
        trained(network.segmenter)
    return network.eval()


def open_gate() -> bytes:
    """Return the graph of a gate's network that takes everything for a usual frontal image; made-up images are none."""
    from onnx import TensorProto, checker, helper

    answers = {"contents": (1.0, 0.0, 0.0, 0.0), "turns": (1.0, 0.0, 0.0, 0.0), "inverted": (0.0,), "distance": (0.0,)}
    nodes, outputs = [], []
    for name, values in answers.items():
        shape = [1, len(values)] if len(values) > 1 else [1]
        value = helper.make_tensor(name, TensorProto.FLOAT, shape, values)
        nodes.append(helper.make_node("Constant", [], [name], value=value))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, *GATE_SIZE])
    graph = helper.make_graph(nodes, "view", [image], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    limits = {"least_frontal": 0.3, "doubted_frontal": 0.8, "unlike": 5.0}
    facts = GateFacts(limits=limits, images=1, sha256="0" * 64, settings={})
    helper.set_model_props(model, {METADATA: facts.model_dump_json()})
    checker.check_model(model)
    return bytes(model.SerializeToString())
