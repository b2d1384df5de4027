import pytest
import torch

from mmhierseg.superpixels import Grid
from mmhierseg.superpixels.grid import cell_of_pixel, cell_starts, grid_shape


@pytest.mark.parametrize('size', [(224, 224), (375, 1242), (7, 90), (90, 7),
                                  (1, 50), (50, 1)])
@pytest.mark.parametrize('num_cells', [1, 2, 7, 50])
def test_grid_shape(size, num_cells):
    rows, columns = grid_shape(*size, num_cells)
    assert 1 <= rows <= size[0] and 1 <= columns <= size[1]
    assert 2 / 3 * num_cells <= rows * columns <= 3 / 2 * num_cells


def test_cells_tile_the_side():
    for length in range(1, 30):
        for num_cells in range(1, length + 1):
            lengths = cell_starts(length, num_cells).diff()
            assert lengths.sum() == length
            assert 1 <= lengths.min() and lengths.max() - lengths.min() <= 1
            counts = cell_of_pixel(length, num_cells).bincount()
            assert counts.equal(lengths)


def test_patches_of_a_vision_transformer():
    labels = Grid(segment_size=16)(torch.zeros(1, 3, 64, 96))[0]
    patches = torch.arange(24).view(4, 6)
    assert labels.equal(torch.kron(patches, torch.ones(16, 16).long()))
