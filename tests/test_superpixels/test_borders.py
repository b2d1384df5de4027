"""Borders of segments move to where colours are alike, and cut nothing."""

import pytest
import torch
from scipy import ndimage

from mmhierseg.superpixels import Grid
from mmhierseg.superpixels.borders import (
    _AROUND,
    _find_movable,
    largest_block,
    refine_borders,
)
from mmhierseg.superpixels.connectivity import connected_components

pytestmark = pytest.mark.usefixtures('both_paths')


def reference(labels, image, num_labels, num_passes):
    """Single pixels, one after the other, in plain Python; labels (H, W)."""
    levels = (image.long() >> 5).permute(1, 2, 0)
    colour = (levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2])
    height, width = labels.shape
    labels = labels.clone()

    def at(row, column):
        inside = 0 <= row < height and 0 <= column < width
        return int(labels[row, column]) if inside else None

    for _ in range(num_passes):
        members = [colour[labels == n] for n in range(num_labels)]
        start = labels.clone()

        def beside(row, column):
            near = [(row - 1, column), (row, column + 1), (row + 1, column),
                    (row, column - 1)]
            return [at(*place) for place in near]

        borders = [(row, column) for row in range(height)
                   for column in range(width)
                   if set(beside(row, column)) - {int(start[row, column])}]
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
                for choice in (own, *near):
                    if choice is None:
                        continue
                    share = (members[choice] == colour[row, column]).float()
                    share = (share.sum() / len(share) * 2**11).round()
                    scores.setdefault(
                        choice, (int(share) + 2) * (near.count(choice) + 8))
                labels[row, column] = max(scores, key=scores.get)
    return labels


def keeps_together(around):
    """Whether a (3, 3) mask without its middle joins what is beside it."""
    parts, _ = ndimage.label(around.numpy())
    beside = {parts[0, 1], parts[1, 2], parts[2, 1], parts[1, 0]} - {0}
    return len(beside) == 1


def test_movable_blocks():
    """All 256 ways in which a segment may lie around one of its blocks."""
    for bits, movable in enumerate(_find_movable()):
        around = torch.zeros(3, 3, dtype=torch.bool)
        for bit, (row, column) in enumerate(_AROUND[:8]):
            around[1 + row, 1 + column] = bits >> bit & 1
        assert bool(movable) == keeps_together(around)


@pytest.mark.parametrize('size', [(12, 17), (9, 10), (16, 16)])
@pytest.mark.parametrize('num_passes', [1, 3])
def test_pixels_move_as_in_plain_python(photos, size, num_passes):
    images = photos[:, :, 20:20 + size[0], 30:30 + size[1]].contiguous()
    labels = Grid(segment_size=4)(images)
    number = int(labels.max()) + 1
    found = refine_borders(labels, images, number, 1, num_passes)
    assert not found.equal(labels)
    for image, start, result in zip(images, labels, found):
        assert result.equal(reference(start, image, number, num_passes))


@pytest.mark.parametrize('size', [(96, 112), (91, 103), (33, 17)])
@pytest.mark.parametrize('side, num_passes', [(1, 2), (2, 1), (4, 2), (8, 1)])
def test_segments_stay_connected(photos, size, side, num_passes):
    images = photos[:, :, :size[0], :size[1]].contiguous()
    small = [-(-length // side) for length in size]
    labels = Grid(segment_size=2)(torch.zeros(2, 3, *small))
    number = int(labels.max()) + 1
    found = refine_borders(labels, images, number, side, num_passes)
    assert found.shape == (2, *size)
    for image, parts in zip(found, connected_components(found)):
        assert image.unique().equal(torch.arange(number))
        assert len(parts.unique()) == number


def test_textures_are_told_apart():
    """Stripes whose means are the same, and a grid across their border."""
    row, column = torch.meshgrid(
        torch.arange(64), torch.arange(64), indexing='ij')
    left = column < 21 + row // 8
    image = torch.where(left, torch.where(column % 2 == 0, 10, 250),
                        torch.where(row % 2 == 0, 90, 170))
    images = image.byte().expand(1, 3, -1, -1)
    labels = Grid(segment_size=4)(torch.zeros(1, 3, 16, 16))
    found = refine_borders(labels, images, 16, 4, 2)[0]

    def purity(segments):
        return sum(
            max(int((left & (segments == n)).sum()),
                int((~left & (segments == n)).sum())) for n in range(16)
        ) / segments.numel()

    grid = Grid(segment_size=16)(images)[0]
    assert purity(grid) < 0.92 and purity(found) > 0.99


def test_one_colour_changes_nothing():
    images = torch.full((1, 3, 24, 40), 77, dtype=torch.uint8)
    labels = Grid(segment_size=8)(images)
    assert refine_borders(labels, images, 15, 1, 3).equal(labels)


def test_batch_mates_do_not_matter(photos):
    labels = Grid(segment_size=8)(photos)
    found = refine_borders(labels, photos, 168, 1, 2)
    for index in (0, 1):
        alone = slice(index, index + 1)
        assert found[alone].equal(
            refine_borders(labels[alone], photos[alone], 168, 1, 2))


def test_input_is_left_alone(photos):
    labels = Grid(segment_size=8)(photos)
    before = labels.clone(), photos.clone()
    refine_borders(labels, photos, 168, 1, 2)
    assert labels.equal(before[0]) and photos.equal(before[1])


def test_not_contiguous(photos):
    turned = photos.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    labels = Grid(segment_size=8)(photos)
    assert refine_borders(labels.clone(), turned, 168, 1, 1).equal(
        refine_borders(labels, photos, 168, 1, 1))


@pytest.mark.parametrize('cell, num_passes, side', [
    ((1, 1), 1, 0), ((3, 5), 1, 0), ((1, 16), 1, 1), ((4, 4), 1, 1),
    ((7, 9), 1, 1), ((8, 9), 1, 2), ((16, 16), 1, 4), ((32, 33), 2, 8),
    ((128, 128), 1, 4), ((512, 512), 1, 1), ((1024, 1024), 1, 0)
])
def test_largest_block(cell, num_passes, side):
    size = 100 * cell[0], 100 * cell[1]
    assert largest_block(size, (100, 100), num_passes) == side


@pytest.mark.parametrize('num_passes', [1, 1000])
def test_what_is_counted_is_not_more_than_the_image(num_passes):
    assert largest_block((224, 224), (1, 2), num_passes) == 8
    assert largest_block((224, 224), (14, 14), num_passes) == 4


def test_autocast_changes_nothing(photos):
    labels = Grid(segment_size=8)(photos)
    expected = refine_borders(labels, photos, 168, 1, 1)
    with torch.autocast('cpu', torch.bfloat16):
        assert refine_borders(labels, photos, 168, 1, 1).equal(expected)
