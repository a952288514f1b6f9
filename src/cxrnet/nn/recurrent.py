"""Res-CR-Net's recurrent residual block, an option of Module 1 (Abdallah et al. 2020, LSTM RES block).

    m = LeakyReLU(Conv1x1(x))            one channel a class
    output = m + rows(m) + columns(m)    each reading is the sum of both directions

A reading takes the map as a sequence of rows (columns). Each step is a picture of [columns, classes] with one
feature, convolved by a single 3x3 filter that therefore also runs across the classes.
"""

import torch
from torch import Tensor, nn

from cxrnet.nn.blocks import leaky


class ConvLstm(nn.Module):
    """A convolutional LSTM with one filter that reads a sequence in one direction and returns every state."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Conv2d(1, 4, 3, padding=1)
        self.state = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        nn.init.xavier_uniform_(self.input.weight)
        nn.init.orthogonal_(self.state.weight.view(4, 9))
        assert self.input.bias is not None
        with torch.no_grad():
            self.input.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))  # remember at the start of training

    def forward(self, sequence: Tensor) -> Tensor:
        """Return float [batch, step, position, class] of the same shape as `sequence`."""
        batch, steps, positions, classes = sequence.shape
        driven = self.input(sequence.reshape(batch * steps, 1, positions, classes))
        driven = driven.view(batch, steps, 4, positions, classes)
        start = sequence.new_zeros(batch, 1, positions, classes)
        if torch.compiler.is_exporting():  # one loop in the graph, for sequences of any length
            from torch._higher_order_ops.scan import scan

            _, states = scan(self._step, (start, start.clone()), driven.transpose(0, 1))
            scanned: Tensor = states.squeeze(2).transpose(0, 1)
            return scanned
        carry, found = (start, start), []
        for step in range(steps):
            carry, hidden = self._step(carry, driven[:, step])
            found.append(hidden)
        return torch.cat(found, dim=1)

    def _step(self, carry: tuple[Tensor, Tensor], driven: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Return the next hidden state and cell, and the hidden state: float [batch, 1, position, class] each."""
        hidden, cell = carry
        entry, forget, candidate, exit_ = (driven + self.state(hidden)).chunk(4, dim=1)
        cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
        hidden = exit_.sigmoid() * cell.tanh()
        return (hidden, cell), hidden.clone()


class BidirectionalConvLstm(nn.Module):
    """Both directions of a convolutional LSTM along the first axis of a map, summed."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards = ConvLstm()
        self.backwards = ConvLstm()

    def forward(self, sequence: Tensor) -> Tensor:
        """Return float [batch, step, position, class] of the same shape as `sequence`."""
        onwards: Tensor = self.forwards(sequence)
        back: Tensor = self.backwards(sequence.flip(1))
        return onwards + back.flip(1)


class RecurrentBlock(nn.Module):
    """One recurrent residual block; `classes` channels out of `in_channels`."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, classes, 1)
        self.rows = BidirectionalConvLstm()
        self.columns = BidirectionalConvLstm()

    def forward(self, x: Tensor) -> Tensor:
        """Return float [batch, class, height, width] of float [batch, in_channels, height, width]."""
        classes = leaky(self.project(x))
        by_row: Tensor = self.rows(classes.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        by_column: Tensor = self.columns(classes.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)
        return classes + by_row + by_column
