import pytest
import torch

from mmhierseg.superpixels import TorchSLIC
from mmhierseg.superpixels.empty_segments import fill_empty_segments
from mmhierseg.superpixels.grid import cell_of_pixel

pytestmark = pytest.mark.usefixtures('both_paths')


def random_labels(seed, size, rows, columns, batch=3):
    """Segments of the own or a neighbouring cell, most of them empty."""
    generator = torch.Generator().manual_seed(seed)
    row = cell_of_pixel(size[0], rows)[:, None]
    column = cell_of_pixel(size[1], columns)

    def draw():
        steps = torch.randint(-1, 2, (2, batch, *size), generator=generator)
        return ((row + steps[0]).clamp(0, rows - 1) * columns +
                (column + steps[1]).clamp(0, columns - 1))

    unwanted = torch.rand(batch, rows * columns, generator=generator) < 0.6
    labels = draw()
    for _ in range(20):
        again = unwanted.gather(1, labels.flatten(1)).view_as(labels)
        labels = torch.where(again, draw(), labels)
    return labels


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('size, rows, columns', [((12, 20), 4, 5),
                                                 ((9, 9), 3, 3),
                                                 ((17, 26), 3, 5)])
def test_all_segments_are_used(seed, size, rows, columns):
    labels = random_labels(seed, size, rows, columns)
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


@pytest.mark.parametrize('segment_size', [4, 8, 16])
@pytest.mark.parametrize('compactness', [0.1, 10, 60])
def test_number_of_superpixels_is_exact(segment_size, compactness):
    """Even where centres coincide: in areas of one colour with one edge."""
    images = torch.zeros(3, 3, 48, 64, dtype=torch.uint8)
    images[0, :, :, 37:] = 255
    images[1, :, 11:] = torch.tensor([255, 0, 90])[:, None, None]
    images[2] = torch.randint(
        0, 2, (48, 64), generator=torch.Generator().manual_seed(0)) * 255
    labels = TorchSLIC(segment_size, compactness=compactness)(images)
    number = 48 * 64 // segment_size**2
    assert (labels.amax((1, 2)) + 1 == number).all()
