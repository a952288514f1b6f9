"""Cross-attention between the radiograph and its lung mask, on rows and on columns (paper 2.2.3, Fig. 4).

    attention = query * rows(query, key, value) * columns(query, key, value)

with the zeroth scattering channel as query, the binary lung mask as key and the lung probability as value.
Each pixel is a token with one feature, so that a head's three projections act only through two numbers:
c = Wq . Wk / sqrt(size), in the exponent, and d = Wv . Wp, in front of the averaged values. With a binary key
the softmax then has two cases only, and the sum over a row costs as much as the row is long, not its square.
"""

import torch
from torch import Tensor, nn

from cxrnet.model.config import AttentionConfig


class MultiHeadAttention(nn.Module):
    """Attention over tokens of one feature with a binary key, heads summed, in linear time.

    Its weights are those of Keras' layer without biases, for `heads` of `size` each.
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(config.heads, 1, config.size))
        self.key = nn.Parameter(torch.empty(config.heads, 1, config.size))
        self.value = nn.Parameter(torch.empty(config.heads, 1, config.size))
        self.projection = nn.Parameter(torch.empty(config.heads, config.size, 1))
        self.bias = nn.Parameter(torch.zeros(1))
        for weight in (self.query, self.key, self.value, self.projection):
            nn.init.xavier_uniform_(weight)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return scaled dot-product attention, float [..., tokens].

        The query is float [..., tokens], key (0 or 1) and value are float [..., others].
        """
        exponent = (self.query * self.key).sum(dim=(1, 2)) / self.query.shape[-1] ** 0.5
        scale = (self.value.squeeze(1) * self.projection.squeeze(2)).sum(dim=1)
        ones = key.sum(dim=-1, keepdim=True)
        zeros = (1 - key).sum(dim=-1, keepdim=True)
        mean_at_one = (key * value).sum(dim=-1, keepdim=True) / ones.clamp(min=1)
        mean_at_zero = ((1 - key) * value).sum(dim=-1, keepdim=True) / zeros.clamp(min=1)
        odds = ones.log() - zeros.log()  # infinite where a row has one kind of key only, as it should be
        attended = self.bias.expand_as(query)
        for c, d in zip(exponent, scale, strict=True):
            share = torch.sigmoid(c * query + odds)
            attended = attended + d * (share * mean_at_one + (1 - share) * mean_at_zero)
        return attended


class CrossAttention(nn.Module):
    """The attention block of Module 2: rows and columns with weights of their own."""

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.rows = MultiHeadAttention(config)
        self.columns = MultiHeadAttention(config)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return query * rows * columns, float [batch, height, width], of maps of the same shape.

        The query is the zeroth scattering channel, the key 1 inside the lungs and 0 outside, the value the lung
        probability in [0, 1].
        """
        rows: Tensor = self.rows(query, key, value)
        columns: Tensor = self.columns(query.mT, key.mT, value.mT).mT
        return query * rows * columns
