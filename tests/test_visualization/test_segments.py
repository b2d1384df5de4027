import numpy as np
import pytest
from helpers.figures import image_of

from mmhierseg.visualization import (
    boundary_mask,
    count_segments,
    draw_boundaries,
    mean_colors,
)


@pytest.fixture
def image():
    return image_of(13, 22)


@pytest.fixture
def labels():
    """Four blocks; the last has no segment. H != W."""
    labels = np.zeros((13, 22), dtype=np.int64)
    labels[:6, 10:] = 3
    labels[6:, :10] = 9
    labels[6:, 10:] = -1
    return labels


def test_lines_lie_at_the_change(labels):
    mask = boundary_mask(labels)
    expected = np.zeros_like(mask)
    expected[:, 10] = True  # right of the boundary between columns 9 and 10
    expected[6, :] = True  # below the boundary between rows 5 and 6
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize('width', [1, 2, 3, 4, 7])
def test_width_of_lines(width):
    labels = np.repeat([[0] * 10 + [1] * 10], 3, axis=0)
    mask = boundary_mask(labels, width)
    assert (mask.sum(axis=1) == width).all()
    # Centred on the boundary between columns 9 and 10.
    assert abs(np.flatnonzero(mask[0]).mean() - 9.5) <= 0.5
    assert boundary_mask(np.array([[0, 1]]), width=9).all()


def test_numbering_does_not_matter(labels):
    renamed = np.select([labels == 0, labels == 3, labels == 9],
                        [900000, 1, 0], default=-7)
    unsigned = np.where(labels < 0, 5, labels).astype(np.uint16)
    for same in (renamed, unsigned):
        np.testing.assert_array_equal(
            boundary_mask(same, 3), boundary_mask(labels, 3))
    # All negative labels mean none.
    assert not boundary_mask(np.array([[-1, -2], [-3, -1]])).any()


@pytest.mark.parametrize('shape', [(1, 1), (1, 5), (5, 1)])
def test_smallest_maps(shape):
    assert not boundary_mask(np.zeros(shape, dtype=int), 3).any()


def test_only_lines_change(image, labels):
    labels, before = np.where(labels < 0, 4, labels), image.copy()
    drawn = draw_boundaries(image, labels, (1, 2, 3), outline=0)
    mask = boundary_mask(labels)
    assert (drawn[mask] == (1, 2, 3)).all()
    np.testing.assert_array_equal(drawn[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)


def test_outline_darkens_both_sides(labels):
    labels = np.where(labels < 0, 4, labels)
    image = np.full((*labels.shape, 3), 200, dtype=np.uint8)
    drawn = draw_boundaries(image, labels, (0, 0, 0), outline=0.5)
    assert (drawn[0, [9, 11]] == 100).all()
    assert (drawn[0, [8, 12]] == 200).all()


def test_pixels_without_a_segment_turn_grey(image, labels):
    drawn = draw_boundaries(image, labels)
    at = (10, 18)  # inside the block without a segment
    np.testing.assert_allclose(
        drawn[at], (image[at].astype(int) + 128) / 2, atol=0.5)


def test_mean_colors(image, labels):
    painted = mean_colors(image, labels, none_color=(9, 8, 7))
    for label in (0, 3, 9):
        inside = labels == label
        assert (painted[inside] == np.rint(image[inside].mean(axis=0))).all()
    assert (painted[labels < 0] == (9, 8, 7)).all()
    np.testing.assert_array_equal(
        mean_colors(image[:, ::-1], labels[:, ::-1], (9, 8, 7)),
        painted[:, ::-1])
    assert (mean_colors(image, np.full(image.shape[:2], -1)) == 128).all()


def test_count_segments(labels):
    assert count_segments(labels) == 3
    assert count_segments(np.full((2, 3), -1)) == 0


@pytest.mark.parametrize('draw', [draw_boundaries, mean_colors])
@pytest.mark.parametrize('bad_image, bad_labels, error, message', [
    (np.zeros((4, 5, 3)), None, TypeError, '`image` must be uint8'),
    (np.zeros((4, 5), np.uint8), None, ValueError, r'\(H, W, 3\)'),
    (None, np.zeros((4, 5)), TypeError, '`labels` must be an integer array'),
    (None, np.zeros((1, 4, 5), int), ValueError, r'\(H, W\), got \(1, 4, 5'),
    (None, np.zeros((5, 4), int), ValueError, 'as large as `image`'),
])
def test_bad_input(draw, bad_image, bad_labels, error, message):
    image = np.zeros((4, 5, 3), np.uint8) if bad_image is None else bad_image
    labels = np.zeros((4, 5), int) if bad_labels is None else bad_labels
    with pytest.raises(error, match=message):
        draw(image, labels)


def test_bad_lines(image, labels):
    with pytest.raises(ValueError, match='`width` must be at least 1, got 0'):
        boundary_mask(labels, 0)
    with pytest.raises(ValueError, match=r'`outline` must lie in \[0, 1\]'):
        draw_boundaries(image, labels, outline=2)
