"""One training step of Module 1: the step that `cxrnet train` takes against plain convolutions, in one run.

    python -m benchmarks.training_step [--height 300 --width 340 --batch 2 --runs 3] [--json FILE]

Both steps are eager and channels-last, with the loss of the paper. Their gradients are compared as well. `cxrnet train`
also keeps the memory that a step frees; the effect of that alone is printed too. Timings are noisy: only the
ratio within one run counts.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from cxrnet.bench.record import BenchmarkRecord, Row
from cxrnet.nn.segmenter import Segmenter
from cxrnet.training.fit import keep_freed_memory
from cxrnet.training.losses import weighted_tanimoto_loss

KEPT = "freed memory retained"


def plain(x: Tensor, weight: Tensor, *, dilation: int) -> Tensor:
    """Return the convolution as PyTorch has it."""
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, padding=padding, dilation=dilation, groups=x.shape[1])


def step(network: Segmenter, image: Tensor, target: Tensor) -> None:
    """Run forward and backward once."""
    network.zero_grad()
    weighted_tanimoto_loss(network(image), target).backward()


def seconds(network: Segmenter, image: Tensor, target: Tensor, runs: int) -> list[float]:
    """Return the seconds per image of each run, sorted, after one that does not count."""
    step(network, image, target)
    times = []
    for _ in range(runs):
        start = perf_counter()
        step(network, image, target)
        times.append((perf_counter() - start) / len(image))
    return sorted(times)


def gradients(network: Segmenter) -> Tensor:
    """Return all gradients as one vector."""
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters() if parameter.grad is not None])


def main() -> None:
    """Print both times, their ratio, and how far the gradients differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, value in (("height", 300), ("width", 340), ("batch", 2), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.manual_seed(0)
    network = Segmenter().train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.dropout.p = 0.0
    size = (options.batch, 1, options.height, options.width)
    image = torch.rand(size).contiguous(memory_format=torch.channels_last)
    lungs = (functional.avg_pool2d(torch.rand(size), 31, stride=1, padding=15) > 0.5).float()
    target = torch.cat([lungs, 1 - lungs], dim=1)
    with patch("cxrnet.nn.blocks.depthwise", plain):
        slow = seconds(network, image, target, options.runs)
        theirs = gradients(network).clone()
        keep_freed_memory()
        kept = seconds(network, image, target, options.runs)
    fast = seconds(network, image, target, options.runs)
    ours = gradients(network)
    print(f"{options.height} x {options.width}, batch {options.batch}, {os.cpu_count()} cores, {options.runs} runs")
    rows: list[Row] = []
    for name, times in (
        ("plain", slow),
        (f"plain, {KEPT}", kept),
        (f"by phases, {KEPT}: what `cxrnet train` does", fast),
    ):
        middle = median(times)
        spread = {"median": round(middle, 3), "fastest": round(times[0], 3), "slowest": round(times[-1], 3)}
        rows.append({"name": name, **spread, "ratio": round(median(slow) / middle, 3)})
        print(", ".join(f"{column} {value}" for column, value in rows[-1].items()), "(seconds per image)")
    print(f"gradients  differ by {(ours - theirs).abs().max():.2g}, the largest is {theirs.abs().max():.2g}")
    if options.json:
        sizes = " ".join(f"--{name} {getattr(options, name)}" for name in ("height", "width", "batch", "runs"))
        record = BenchmarkRecord(command=f"python -m benchmarks.training_step {sizes}", rows=tuple(rows))
        record.write(options.json)


if __name__ == "__main__":
    main()
