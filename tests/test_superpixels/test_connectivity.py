"""Segments are connected, and none is empty."""

import pytest
import torch
from skimage.measure import label

from mmhierseg.superpixels import TorchSLIC
from mmhierseg.superpixels.connectivity import enforce_connectivity
from mmhierseg.superpixels.empty_segments import fill_empty_segments
from mmhierseg.superpixels.grid import cell_of_pixel

pytestmark = pytest.mark.usefixtures('both_paths')


@pytest.mark.parametrize('num_labels', [1, 2, 5])
def test_largest_parts_are_kept(num_labels):
    torch.manual_seed(num_labels)
    labels = torch.randint(0, num_labels, (4, 13, 22))
    # A snake, which needs many joins.
    labels[0, ::2] = num_labels - 1
    labels[0, 1::4, -1] = labels[0, 3::4, 0] = num_labels - 1
    result = enforce_connectivity(labels, num_labels)
    # The batch, numbers and the memory layout do not matter.
    order = torch.tensor([30, 2, 11, 5, 7])
    turned = order[labels].transpose(1, 2).contiguous().transpose(1, 2)
    alone = [enforce_connectivity(image[None], 31) for image in turned]
    assert order[result].equal(torch.cat(alone))
    assert enforce_connectivity(turned, 31).equal(order[result])
    assert result.equal(enforce_connectivity(result, num_labels))
    for image, before in zip(result, labels):
        assert image.unique().equal(before.unique())
        for number in before.unique():
            mine = image == number
            assert label(mine.numpy(), connectivity=1).max() == 1
            parts = torch.from_numpy(
                label((before == number).numpy(), connectivity=1)).long()
            sizes = parts.flatten().bincount()[1:]
            assert mine[parts == sizes.argmax() + 1].all()


def mostly_empty(size, rows, columns):
    """Segments of the own or a neighbouring cell, those of odd number rare."""
    torch.manual_seed(0)
    steps = torch.randint(-1, 2, (2, 20, 3, *size))
    row = cell_of_pixel(size[0], rows)[:, None] + steps[0]
    column = cell_of_pixel(size[1], columns) + steps[1]
    candidates = (row.clamp(0, rows - 1) * columns +
                  column.clamp(0, columns - 1))
    labels = candidates[0]
    for candidate in candidates[1:]:
        labels = torch.where(labels % 2 == 1, candidate, labels)
    return labels


@pytest.mark.parametrize('size, rows, columns', [((12, 20), 4, 5),
                                                 ((17, 26), 3, 5)])
def test_empty_segments_take_pixels_of_their_cells(size, rows, columns):
    labels = mostly_empty(size, rows, columns)
    before = labels.clone()
    filled = fill_empty_segments(labels, rows, columns)
    assert labels.equal(before) and not filled.equal(labels)
    cell = (cell_of_pixel(size[0], rows)[:, None] * columns +
            cell_of_pixel(size[1], columns))
    for old, new in zip(labels, filled):
        assert new.unique().equal(torch.arange(rows * columns))
        # Only pixels in the cells of empty segments change, to these segments,
        # and those of one other segment per cell.
        changed = old != new
        assert (new == cell)[changed].all()
        assert not torch.isin(new[changed], old.unique()).any()
        for number in new[changed].unique():
            assert len(old[changed & (new == number)].unique()) == 1
        assert new.equal(fill_empty_segments(old[None], rows, columns)[0])
    assert fill_empty_segments(filled, rows, columns).equal(filled)


def test_segment_that_gives_keeps_its_first_pixel():
    """Segment 4 has pixels only in the cells of 3 and 5, which are empty."""
    labels = torch.tensor([0, 1, 2]).repeat_interleave(3).repeat(6, 1)
    labels[3:] = 4
    labels[3:, 3:6] = 1
    filled = fill_empty_segments(labels[None], 2, 3)[0]
    expected = labels.clone()
    expected[3:, :3], expected[3:, 6:] = 3, 5
    expected[3, 0] = 4
    assert filled.equal(expected)


@pytest.mark.parametrize('segment_size, compactness', [(4, 10), (8, 0.1)])
def test_number_of_superpixels_is_exact(segment_size, compactness):
    """Even where centres coincide: in areas of one colour with one edge."""
    images = torch.zeros(2, 3, 48, 64, dtype=torch.uint8)
    images[0, :, :, 37:] = 255
    images[1, :, 11:] = torch.tensor([255, 0, 90])[:, None, None]
    labels = TorchSLIC(segment_size, compactness=compactness)(images)
    number = 48 * 64 // segment_size**2
    assert (labels.amax((1, 2)) + 1 == number).all()
