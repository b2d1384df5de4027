import pytest
import torch

from mmhierseg.models.utils import LearnedPositions


def test_columns_come_before_rows():
    positions = LearnedPositions(6)
    encoding = positions(7, 50)
    rows, columns = positions.row_embed.weight, positions.col_embed.weight
    assert encoding.shape == (7, 50, 6)
    assert torch.equal(encoding[3, 20], torch.cat([columns[20], rows[3]]))
    assert ((encoding >= 0) & (encoding < 1)).all()


@pytest.mark.parametrize('init_range', [1., 0.1])
def test_range(init_range):
    torch.manual_seed(0)
    encoding = LearnedPositions(6, init_range=init_range)(50, 50)
    assert encoding.min() >= 0
    assert 0.9 * init_range < encoding.max() < init_range


@pytest.mark.parametrize('size, last', [(50, 49), (28, 27)])
def test_larger_maps_lie_between_the_trained_ones(size, last):
    positions = LearnedPositions(4, position_size=size)
    table = positions.row_embed.weight
    columns, rows = positions(2 * last + 1, size).split(2, dim=2)
    torch.testing.assert_close(rows[::2, 0], table[:size])
    torch.testing.assert_close(rows[1, 0], table[:2].mean(0))
    assert torch.equal(columns[5], positions.col_embed.weight[:size])
    rows.sum().backward()
    assert (table.grad[:size] > 0).all() and (table.grad[size:] == 0).all()


@pytest.mark.parametrize('options, message', [
    (dict(embed_dims=5), '`embed_dims` must be even'),
    (dict(embed_dims=4, position_size=51), r'`max_positions` \(50\), got 51'),
    (dict(embed_dims=4, position_size=0), '`position_size` must be at least'),
])
def test_bad_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedPositions(**options)
