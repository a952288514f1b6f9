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
    """Scaled dot-product attention over a sequence, heads summed; Keras' layer of this name without biases.

    Args:
        config: Number of heads and size of each.
        features: Features of each token in query, key, value and output.
    """

    def __init__(self, config: AttentionConfig, *, features: int = 1) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(config.heads, features, config.size))
        self.key = nn.Parameter(torch.empty(config.heads, features, config.size))
        self.value = nn.Parameter(torch.empty(config.heads, features, config.size))
        self.projection = nn.Parameter(torch.empty(config.heads, config.size, features))
        self.bias = nn.Parameter(torch.zeros(features))
        for weight in (self.query, self.key, self.value, self.projection):
            nn.init.xavier_uniform_(weight)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return the attended values.

        Args:
            query: float [batch, tokens, features].
            key: float [batch, others, features].
            value: float [batch, others, features].

        Returns:
            float [batch, tokens, features].
        """
        queries = torch.einsum("btf,hfs->bhts", query, self.query) / self.query.shape[-1] ** 0.5
        keys = torch.einsum("btf,hfs->bhts", key, self.key)
        values = torch.einsum("btf,hfs->bhts", value, self.value)
        attended = (queries @ keys.transpose(-1, -2)).softmax(dim=-1) @ values
        return torch.einsum("bhts,hsf->btf", attended, self.projection) + self.bias

    def binary(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what `forward` returns for one feature and a key of zeros and ones, in linear time.

        Args:
            query: float [..., tokens].
            key: float [..., others], 0 or 1.
            value: float [..., others].

        Returns:
            float [..., tokens].
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
        """Return query * rows * columns.

        Args:
            query: float [batch, height, width], the zeroth scattering channel.
            key: float [batch, height, width], 1 inside the lungs and 0 outside.
            value: float [batch, height, width], lung probability in [0, 1].

        Returns:
            float [batch, height, width].
        """
        rows = self.rows.binary(query, key, value)
        columns = self.columns.binary(query.mT, key.mT, value.mT).mT
        return query * rows * columns
