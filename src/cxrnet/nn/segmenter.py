"""Module 1: Res-CR-Net that turns a radiograph of any size into class probabilities (paper 2.1.2.4, Fig. 1).

    stem block -> residual blocks -> 1x1 convolution -> LeakyReLU -> softmax

The published network has six blocks (the paper counts five) and 59,941 parameters. With recurrent blocks the
last 1x1 convolution and its LeakyReLU are those of the first recurrent block. With an output stride of 2 all of it
works on the halved image, and the logits are brought back to the size of the image before the softmax.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from cxrnet.model.config import SegmenterConfig
from cxrnet.model.segmenter_classes import lung_channels
from cxrnet.nn.blocks import ResidualBlock, leaky
from cxrnet.nn.recurrent import RecurrentBlock


class Segmenter(nn.Module):
    """The lung segmenter; `config` holds its sizes and its classes.

    `lung_channel` is the index of the lungs among the output channels; it is missing where each side has its own.
    """

    def __init__(self, config: SegmenterConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SegmenterConfig()
        if len(lung_channels(config.classes)) == 1:
            (self.lung_channel,) = lung_channels(config.classes)
        self.blocks = nn.ModuleList()
        channels = 1
        for index in range(config.blocks):
            block = ResidualBlock(channels, config.filters, config.branches, is_stem=index == 0, merge=config.merge)
            self.blocks.append(block)
            channels = block.out_channels
        self.dropout = nn.Dropout2d(config.dropout)
        classes = len(config.classes)
        self.recurrent = nn.ModuleList(
            RecurrentBlock(channels if index == 0 else classes, classes) for index in range(config.recurrent_blocks)
        )
        self.head = nn.Conv2d(channels, classes, 1) if not config.recurrent_blocks else None

    def logits(self, image: Tensor) -> Tensor:
        """Return float [batch, class, height, width], what enters the softmax; see `forward`."""
        x = halved(image) if self.config.output_stride == 2 else image
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index < len(self.blocks) - 1:
                x = self.dropout(x)
        for block in self.recurrent:
            x = block(x)
        x = x if self.head is None else leaky(self.head(x))
        return resized_as(image, x) if self.config.output_stride == 2 else x

    def forward(self, image: Tensor) -> Tensor:
        """Return the probability of each class, float [batch, class, height, width], summing to 1 over the classes.

        The image is float [batch, 1, height, width], equalised grey values divided by 255; any size.
        """
        return self.logits(image).softmax(dim=1)

    def lung_probability(self, image: Tensor) -> Tensor:
        """Return float [batch, height, width] in [0, 1], the sum over the lung classes."""
        return self.lungs_of(self(image))

    def lungs_of(self, probability: Tensor) -> Tensor:
        """Return the lung probability, float [batch, height, width], of what `forward` returns."""
        return lungs_of(probability, self.config.classes)


def lungs_of(probability: Tensor, classes: Sequence[str]) -> Tensor:
    """Return the lung probability, float [batch, height, width], of that of `classes`, float [batch, class, ...]."""
    first, *others = (probability[:, channel] for channel in lung_channels(classes))
    return sum(others, start=first)


def halved(image: Tensor) -> Tensor:
    """Return the image, float [batch, 1, height, width], at half its size: the mean of 2 x 2 pixels of even sides."""
    return functional.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=False)


def resized_as(image: Tensor, x: Tensor) -> Tensor:
    """Return maps, float [batch, channel, rows, columns], brought to the size of the image by linear interpolation."""
    return functional.interpolate(x, size=image.shape[-2:], mode="bilinear", align_corners=False)
