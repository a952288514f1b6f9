import copy

import pytest
import torch

from cxrnet.nn.recurrent import BidirectionalConvLstm, ConvLstm, RecurrentBlock
from tests.material import randomised


def _naive(lstm, sequence):
    """One picture and one step at a time, input and state convolved as two channels of one picture."""
    kernel = torch.cat([lstm.input.weight, lstm.state.weight], dim=1)
    read = []
    for picture in sequence:
        hidden = cell = torch.zeros_like(picture[0])
        states = []
        for step in picture:
            gates = torch.nn.functional.conv2d(torch.stack([step, hidden])[None], kernel, lstm.input.bias, padding=1)[0]
            cell = torch.sigmoid(gates[1]) * cell + torch.sigmoid(gates[0]) * torch.tanh(gates[2])
            hidden = torch.sigmoid(gates[3]) * torch.tanh(cell)
            states.append(hidden)
        read.append(torch.stack(states))
    return torch.stack(read)


def test_conv_lstm_is_the_naive_loop():
    lstm = randomised(ConvLstm())
    sequence = torch.randn(2, 5, 7, 3)
    torch.testing.assert_close(lstm(sequence), _naive(lstm, sequence))


def test_reading_is_the_sum_of_both_directions():
    reading = randomised(BidirectionalConvLstm())
    sequence = torch.randn(1, 5, 7, 2)
    back = _naive(reading.backwards, sequence.flip(1)).flip(1)
    torch.testing.assert_close(reading(sequence), _naive(reading.forwards, sequence) + back)


def test_rows_of_a_map_read_as_columns_of_the_transposed_map():
    block = randomised(RecurrentBlock(4, 2))
    swapped = copy.deepcopy(block)
    swapped.rows, swapped.columns = swapped.columns, swapped.rows
    x = torch.randn(2, 4, 6, 9)
    torch.testing.assert_close(swapped(x.mT), block(x).mT)


def test_recurrent_block_adds_its_readings_to_the_projection():
    block = randomised(RecurrentBlock(4, 2))
    for reading in (block.rows, block.columns):
        for parameter in reading.parameters():
            parameter.data.zero_()
    x = torch.randn(1, 4, 6, 9)
    projected = torch.nn.functional.leaky_relu(block.project(x), 0.1)
    torch.testing.assert_close(block(x), projected)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_recurrent_block_has_304_parameters_next_to_its_projection(classes):
    block = RecurrentBlock(48, classes)
    count = sum(parameter.numel() for parameter in block.parameters())
    assert count - sum(parameter.numel() for parameter in block.project.parameters()) == 304


def test_conv_lstm_remembers_at_the_start_of_training():
    assert ConvLstm().input.bias.tolist() == [0, 1, 0, 0]


def test_recurrent_block_passes_gradients_to_every_weight():
    block = RecurrentBlock(3, 2)
    block(torch.randn(1, 3, 5, 6)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in block.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in block.parameters())
