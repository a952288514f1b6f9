import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from cxrnet.model.config import AttentionConfig
from cxrnet.nn.attention import CrossAttention, MultiHeadAttention
from tests.material import randomised

SMALL = AttentionConfig(heads=3, size=8)


def _count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def _keys(draw, *shape):
    """Zeros and ones, or one kind only."""
    chance = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    return (torch.rand(shape, generator=chance, dtype=torch.float64) < share).double()


@st.composite
def tokens(draw):
    """Query, binary key and value, float64 [2, tokens] each."""
    chance = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    shape = (2, draw(st.integers(1, 12)))
    query = torch.randn(shape, generator=chance, dtype=torch.float64)
    value = torch.rand(shape, generator=chance, dtype=torch.float64)
    return query, _keys(draw, *shape), value


def attended(attention, query, key, value):
    """The general form, by PyTorch: float64 [batch, tokens] of query, key and value of the same shape."""
    query, key, value = (each[..., None] for each in (query, key, value))
    heads = [
        functional.scaled_dot_product_attention(
            query @ attention.query[head], key @ attention.key[head], value @ attention.value[head]
        )
        @ attention.projection[head]
        for head in range(len(attention.query))
    ]
    return (torch.stack(heads).sum(dim=0) + attention.bias)[..., 0]


@given(tokens())
def test_attention_is_that_of_torch_for_keys_of_zeros_and_ones(case):
    query, key, value = case
    attention = randomised(MultiHeadAttention(SMALL)).double()
    torch.testing.assert_close(attention(query, key, value), attended(attention, query, key, value))


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_attention_is_the_plain_mean_when_a_row_has_one_kind_of_key(kind):
    attention = randomised(MultiHeadAttention(SMALL))
    value = torch.rand(1, 6)
    scale = torch.einsum("hfs,hsf->", attention.value, attention.projection)
    expected = (attention.bias + scale * value.mean()).expand(1, 6)
    torch.testing.assert_close(attention(torch.randn(1, 6), torch.full((1, 6), kind), value), expected)


@given(tokens(), st.floats(1e2, 1e30))
def test_attention_is_finite_for_large_exponents(case, size):
    query, key, value = case
    attention = randomised(MultiHeadAttention(SMALL))
    assert attention((query * size).float(), key.float(), value.float()).isfinite().all()


@given(tokens())
def test_attention_has_finite_gradients(case):
    query, key, value = case
    query.requires_grad_(), value.requires_grad_()
    attention = randomised(MultiHeadAttention(SMALL)).double()
    attention(query, key, value).sum().backward()
    gradients = [query.grad, value.grad, *(parameter.grad for parameter in attention.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_cross_attention_is_query_times_rows_times_columns():
    attention = randomised(CrossAttention(SMALL))
    query, key, value = torch.randn(2, 5, 7), (torch.rand(2, 5, 7) > 0.5).float(), torch.rand(2, 5, 7)
    rows = attention.rows(query, key, value)
    columns = torch.stack([attention.columns(query[..., x], key[..., x], value[..., x]) for x in range(7)], dim=-1)
    torch.testing.assert_close(attention(query, key, value), query * rows * columns)


def test_cross_attention_of_the_transposed_map_is_transposed_when_its_weights_are_swapped():
    attention, swapped = randomised(CrossAttention(SMALL)), randomised(CrossAttention(SMALL))
    swapped.rows, swapped.columns = swapped.columns, swapped.rows
    planes = torch.randn(2, 5, 7), (torch.rand(2, 5, 7) > 0.5).float(), torch.rand(2, 5, 7)
    torch.testing.assert_close(swapped(*(plane.mT for plane in planes)), attention(*planes).mT)


def test_published_attention_has_1026_parameters():
    assert _count(CrossAttention(AttentionConfig())) == 1_026
