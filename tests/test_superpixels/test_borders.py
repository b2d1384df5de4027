import pytest
import torch
from scipy import ndimage
from skimage.measure import label

from mmhierseg.superpixels import Grid
from mmhierseg.superpixels.borders import largest_block, refine_borders

pytestmark = pytest.mark.usefixtures('both_paths')


def naive_reference(labels, image, num_labels, num_passes):
    """Single pixels, one after the other, in plain Python; labels (H, W)."""
    levels = (image.long() >> 5).permute(1, 2, 0)
    colour = (levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2])
    height, width = labels.shape
    labels = labels.clone()

    def at(row, column):
        inside = 0 <= row < height and 0 <= column < width
        return int(labels[row, column]) if inside else None

    def beside(row, column):
        return [at(row - 1, column), at(row, column + 1), at(row + 1, column),
                at(row, column - 1)]

    for _ in range(num_passes):
        members = [colour[labels == n] for n in range(num_labels)]
        borders = [(row, column) for row in range(height)
                   for column in range(width)
                   if set(beside(row, column)) - {at(row, column)}]
        for parity in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for row, column in borders:
                if (row % 2, column % 2) != parity:
                    continue
                own = at(row, column)
                around = torch.tensor([
                    [at(row + y, column + x) == own for x in (-1, 0, 1)]
                    for y in (-1, 0, 1)
                ])
                around[1, 1] = False
                if not keeps_together(around):
                    continue
                near, scores = beside(row, column), {}
                for choice in filter(lambda x: x is not None, (own, *near)):
                    share = (members[choice] == colour[row, column]).float()
                    share = (share.sum() / len(share) * 2**11).round()
                    scores.setdefault(
                        choice, (int(share) + 2) * (near.count(choice) + 8))
                labels[row, column] = max(scores, key=scores.get)
    return labels


def keeps_together(around):
    """Whether a (3, 3) mask without its middle connects the four sides."""
    parts, _ = ndimage.label(around.numpy())
    beside = {parts[0, 1], parts[1, 2], parts[2, 1], parts[1, 0]} - {0}
    return len(beside) == 1


@pytest.mark.parametrize('size, num_passes', [((12, 17), 1), ((9, 10), 3)])
def test_agrees_with_naive_reference(photos, size, num_passes):
    images = photos[:, :, 20:20 + size[0], 30:30 + size[1]].contiguous()
    labels = Grid(segment_size=4)(images)
    number, before = int(labels.max()) + 1, labels.clone()
    found = refine_borders(labels, images, number, 1, num_passes)
    assert not found.equal(labels) and labels.equal(before)
    for image, start, result in zip(images, labels, found):
        assert result.equal(naive_reference(start, image, number, num_passes))


@pytest.mark.parametrize('size', [(64, 80), (33, 17)])
@pytest.mark.parametrize('side, num_passes', [(1, 2), (4, 2), (8, 1)])
def test_segments_stay_connected(photos, size, side, num_passes):
    images = photos[:, :, :size[0], :size[1]].contiguous()
    small = [-(-length // side) for length in size]
    labels = Grid(segment_size=2)(torch.zeros(2, 3, *small))
    number = int(labels.max()) + 1
    found = refine_borders(labels, images, number, side, num_passes)
    assert found.shape == (2, *size)
    for image in found:
        assert image.unique().equal(torch.arange(number))
        assert label(image, connectivity=1, background=-1).max() == number


@pytest.mark.parametrize('size, grid, num_passes, side', [
    ((300, 500), (100, 100), 1, 0), ((800, 900), (100, 100), 1, 2),
    ((51200, 51200), (100, 100), 1, 1), ((102400, 102400), (100, 100), 1, 0),
    # Segments have no more pixels than the image, whatever the passes.
    ((224, 224), (1, 2), 1000, 8), ((224, 224), (14, 14), 1000, 4),
])
def test_largest_block(size, grid, num_passes, side):
    assert largest_block(size, grid, num_passes) == side
