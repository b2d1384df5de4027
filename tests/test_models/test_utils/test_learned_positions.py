import pytest
import torch

from mmhierseg.models.utils import LearnedPositions


def test_rows_and_columns_of_a_map():
    positions = LearnedPositions(6)
    rows, columns = positions(7, 50)
    assert torch.equal(rows, positions.row_embed.weight[:7])
    assert torch.equal(columns, positions.col_embed.weight)
    assert rows.shape == (7, 3) and ((rows >= 0) & (rows < 1)).all()


@pytest.mark.parametrize('size, last', [(50, 49), (28, 27)])
def test_larger_maps_lie_between_the_trained_ones(size, last):
    positions = LearnedPositions(4, position_size=size)
    table = positions.row_embed.weight
    rows, columns = positions(2 * last + 1, size)
    torch.testing.assert_close(rows[::2], table[:size])
    torch.testing.assert_close(rows[1], table[:2].mean(0))
    assert torch.equal(columns, positions.col_embed.weight[:size])
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
