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


@pytest.mark.parametrize('width, columns, rows', [
    (1, [10], [6]), (2, [9, 10], [5, 6]), (3, [9, 10, 11], [5, 6, 7])])
def test_lines_lie_at_the_change(labels, width, columns, rows):
    """Between columns 9 and 10, and between rows 5 and 6."""
    expected = np.zeros(labels.shape, dtype=bool)
    expected[:, columns] = expected[rows] = True
    np.testing.assert_array_equal(boundary_mask(labels, width), expected)
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
    assert not boundary_mask(np.zeros((1, 5), dtype=int), 3).any()


def test_only_lines_change(image, labels):
    labels, before = np.where(labels < 0, 4, labels), image.copy()
    drawn = draw_boundaries(image, labels, (1, 2, 3), outline=0)
    mask = boundary_mask(labels)
    assert (drawn[mask] == (1, 2, 3)).all()
    np.testing.assert_array_equal(drawn[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    # The outline darkens both sides.
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
    assert (mean_colors(image, np.full(image.shape[:2], -1)) == 128).all()
    assert count_segments(labels) == 3
    assert count_segments(np.full((2, 3), -1)) == 0


@pytest.mark.parametrize('bad_image, bad_labels, error, message', [
    (np.zeros((4, 5, 3)), None, TypeError, '`image` must be uint8'),
    (np.zeros((4, 5), np.uint8), None, ValueError, r'\(H, W, 3\)'),
    (None, np.zeros((4, 5)), TypeError, '`labels` must be an array of dtype'),
    (None, np.zeros((1, 4, 5), int), ValueError, r'\(H, W\), got \(1, 4, 5'),
    (None, np.zeros((5, 4), int), ValueError, r'of `labels`, \(5, 4\)'),
])
def test_bad_input(bad_image, bad_labels, error, message):
    image = np.zeros((4, 5, 3), np.uint8) if bad_image is None else bad_image
    labels = np.zeros((4, 5), int) if bad_labels is None else bad_labels
    for draw in (draw_boundaries, mean_colors):
        with pytest.raises(error, match=message):
            draw(image, labels)


def test_bad_lines(image, labels):
    with pytest.raises(ValueError, match='`width` must be at least 1, got 0'):
        boundary_mask(labels, 0)
    with pytest.raises(ValueError, match='`outline` must be at most 1'):
        draw_boundaries(image, labels, outline=2)
