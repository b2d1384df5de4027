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
    # Pixels without a segment turn grey.
    none = draw_boundaries(image, np.full_like(labels, -1), outline=0)
    assert (none == 164).all()


def test_mean_colors(image, labels):
    painted = mean_colors(image, labels, none_color=(9, 8, 7))
    for label in (0, 3, 9):
        inside = labels == label
        assert (painted[inside] == np.rint(image[inside].mean(axis=0))).all()
    assert (painted[labels < 0] == (9, 8, 7)).all()
    assert (mean_colors(image, np.full(image.shape[:2], -1)) == 128).all()
    assert count_segments(labels) == 3
    assert count_segments(np.full((2, 3), -1)) == 0


@pytest.mark.parametrize('changed, error, message', [
    (dict(image=np.zeros((4, 5, 3))), TypeError, '`image` must be uint8'),
    (dict(image=np.zeros((4, 5), np.uint8)), ValueError, r'\(H, W, 3\)'),
    (dict(labels=np.zeros((4, 5))), TypeError, '`labels` .* dtype float64'),
    (dict(labels=np.zeros((1, 4, 5), int)), ValueError, r'got \(1, 4, 5'),
    (dict(labels=np.zeros((5, 4), int)), ValueError, r'of `labels`, \(5, 4'),
])
def test_bad_input(image, labels, changed, error, message):
    arguments = {**dict(image=image, labels=labels), **changed}
    for draw in (draw_boundaries, mean_colors):
        with pytest.raises(error, match=message):
            draw(**arguments)
    with pytest.raises(ValueError, match='`width` must be at least 1, got 0'):
        boundary_mask(labels, 0)
