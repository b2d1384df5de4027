import numpy as np
import pytest
from helpers.figures import image_of, places_of

from mmhierseg import visualization as vis


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
    np.testing.assert_array_equal(vis.boundary_mask(labels, width), expected)
    assert vis.boundary_mask(np.array([[0, 1]]), width=9).all()


def test_numbering_does_not_matter(labels):
    renamed = np.select([labels == 0, labels == 3, labels == 9],
                        [900000, 1, 0], default=-7)
    unsigned = np.where(labels < 0, 5, labels).astype(np.uint16)
    for same in (renamed, unsigned):
        np.testing.assert_array_equal(
            vis.boundary_mask(same, 3), vis.boundary_mask(labels, 3))
    # All negative labels mean none.
    assert not vis.boundary_mask(np.array([[-1, -2], [-3, -1]])).any()
    assert not vis.boundary_mask(np.zeros((1, 5), dtype=int), 3).any()


def test_only_lines_change(image, labels):
    labels, before = np.where(labels < 0, 4, labels), image.copy()
    drawn = vis.draw_boundaries(image, labels, (1, 2, 3), outline=0)
    mask = vis.boundary_mask(labels)
    assert (drawn[mask] == (1, 2, 3)).all()
    np.testing.assert_array_equal(drawn[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    # The outline darkens both sides.
    image = np.full((*labels.shape, 3), 200, dtype=np.uint8)
    drawn = vis.draw_boundaries(image, labels, (0, 0, 0), outline=0.5)
    assert (drawn[0, [9, 11]] == 100).all()
    assert (drawn[0, [8, 12]] == 200).all()
    # Pixels without a segment turn grey.
    none = vis.draw_boundaries(image, np.full_like(labels, -1), outline=0)
    assert (none == 164).all()


def test_mean_colors(image, labels):
    painted = vis.mean_colors(image, labels)
    for label in (0, 3, 9):
        inside = labels == label
        assert (painted[inside] == np.rint(image[inside].mean(axis=0))).all()
    assert (painted[labels < 0] == 128).all()
    assert vis.count_segments(labels) == 3
    assert vis.count_segments(np.full((2, 3), -1)) == 0


@pytest.mark.parametrize('changed, error, message', [
    (dict(image=np.zeros((4, 5, 3))), TypeError, '`image` must be uint8'),
    (dict(image=np.zeros((4, 5), np.uint8)), ValueError, r'\(H, W, 3\)'),
    (dict(labels=np.zeros((4, 5))), TypeError, '`labels` .* dtype float64'),
    (dict(labels=np.zeros((1, 4, 5), int)), ValueError, r'got \(1, 4, 5'),
    (dict(labels=np.zeros((5, 4), int)), ValueError, r'of `labels`, \(5, 4'),
])
def test_bad_input(image, labels, changed, error, message):
    arguments = {**dict(image=image, labels=labels), **changed}
    for draw in (vis.draw_boundaries, vis.mean_colors):
        with pytest.raises(error, match=message):
            draw(**arguments)
    with pytest.raises(ValueError, match='`width` must be at least 1, got 0'):
        vis.boundary_mask(labels, 0)


def view(height, width, seed=0, **options):
    mask = np.zeros((height, width), bool)
    mask[height // 3:, width // 2:] = True
    return vis.SegmentView(image_of(height, width, seed), mask, **options)


def test_segment_keeps_its_colours_and_the_rest_is_grey():
    image, mask = view(24, 40)[:2]
    drawn = vis.highlight_segment(image, mask)
    line = vis.boundary_mask(mask.astype(int), 2)
    inside, outside = mask & ~line, ~mask & ~line
    np.testing.assert_array_equal(drawn[inside], image[inside])
    grey = np.rint(0.5 * image.mean(axis=2)[outside])
    assert (drawn[outside] == grey[:, None]).all()
    assert (drawn[line] == (255, 214, 10)).all()


def test_matches_follow_the_query():
    views = [view(24, 40, i, title=f'{i}') for i in range(7)]
    figure = vis.retrieval_figure(views[0], views[1:], panel_size=40)
    tops, lefts = zip(*(
        places_of(figure, vis.highlight_segment(image, mask))[0]
        for image, mask, *_ in views))
    # Five beside it; the sixth below them, not below the query.
    assert len(set(tops[:6])) == 1 and tops[6] > tops[0]
    assert sorted(lefts[:6]) == list(lefts[:6]) and lefts[6] == lefts[1]


def test_images_of_any_shape():
    tall, wide = view(40, 20), view(20, 40)
    figure = vis.retrieval_figure(tall, [wide], panel_size=40)
    for image, mask, *_ in (tall, wide):
        assert places_of(figure, vis.highlight_segment(image, mask))
    # Wide pictures alone take no more height than they need.
    assert len(vis.retrieval_figure(wide, [wide], panel_size=40)) == (
        len(figure) - 20)


def test_marks_the_point(x=59, y=29):
    figure = vis.retrieval_figure(
        view(30, 60, point=(x, y)), [], panel_size=60)
    rows, columns = np.nonzero((figure == (230, 57, 70)).all(axis=2))
    top, left = np.argwhere((figure != 255).any(axis=2)).min(axis=0)
    assert abs(columns.mean() - left - x) < 3
    assert abs(rows.mean() - top - y) < 3


@pytest.mark.parametrize('changed, options, error, message', [
    (dict(mask=np.ones((9, 8), bool)), {}, ValueError,
     r'of `mask`, \(9, 8\), got \(8, 9, 3\)'),
    (dict(mask=np.zeros((8, 9), int)), {}, TypeError, '`mask`.* int64'),
    ({}, dict(panel_size=4), ValueError, '`panel_size` must be at least 16'),
])
def test_bad_segments(changed, options, error, message):
    query = view(8, 9)._replace(**changed)
    with pytest.raises(error, match=message):
        vis.retrieval_figure(query, [], **options)
