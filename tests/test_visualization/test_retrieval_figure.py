import numpy as np
import pytest
from helpers.figures import image_of, places_of

from mmhierseg.visualization import (
    SegmentView,
    highlight_segment,
    retrieval_figure,
)


def view(height, width, seed=0, **options):
    mask = np.zeros((height, width), bool)
    mask[height // 3:, width // 2:] = True
    return SegmentView(image_of(height, width, seed), mask, **options)


def test_segment_keeps_its_colours_and_the_rest_is_grey():
    image, mask = view(24, 40)[:2]
    drawn = highlight_segment(image, mask, line_width=1)
    inside = mask.copy()
    inside[8], inside[:, 20] = False, False  # the line
    np.testing.assert_array_equal(drawn[inside], image[inside])
    outside = ~mask
    outside[7], outside[:, 19] = False, False
    grey = np.rint(0.5 * image.mean(axis=2)[outside])
    assert (drawn[outside] == grey[:, None]).all()
    assert (drawn[8, 21:] == (255, 214, 10)).all()


def test_matches_follow_the_query():
    views = [view(24, 40, i, title=f'{i}') for i in range(5)]
    figure = retrieval_figure(views[0], views[1:], panel_size=40, columns=4)
    tops, lefts = zip(*(
        places_of(figure, highlight_segment(image, mask))[0]
        for image, mask, *_ in views))
    # Three beside it; the fourth below them, not below the query.
    assert tops[0] == tops[1] == tops[2] == tops[3] < tops[4]
    assert lefts[0] < lefts[1] < lefts[2] < lefts[3]
    assert lefts[4] == lefts[1]


def test_images_of_any_shape():
    tall, wide = view(40, 20), view(20, 40)
    figure = retrieval_figure(tall, [wide], panel_size=40)
    for image, mask, *_ in (tall, wide):
        assert places_of(figure, highlight_segment(image, mask))
    # Wide pictures alone take no more height than they need.
    assert len(retrieval_figure(wide, [wide], panel_size=40)) == (
        len(figure) - 20)


@pytest.mark.parametrize('x, y', [(0, 0), (59, 29)])
def test_marks_the_point(x, y):
    figure = retrieval_figure(
        view(30, 60, point=(x, y)), [], panel_size=60)
    rows, columns = np.nonzero((figure == (230, 57, 70)).all(axis=2))
    top, left = np.argwhere((figure != 255).any(axis=2)).min(axis=0)
    assert abs(columns.mean() - left - x) < 3
    assert abs(rows.mean() - top - y) < 3


@pytest.mark.parametrize('changed, options, error, message', [
    (dict(mask=np.ones((9, 8), bool)), {}, ValueError,
     r'of `mask`, \(9, 8\), got \(8, 9, 3\)'),
    (dict(mask=np.zeros((8, 9), int)), {}, TypeError, '`mask`.* int64'),
    (dict(image=np.zeros((8, 9, 3))), {}, TypeError, '`image`.* float64'),
    ({}, dict(panel_size=4), ValueError, '`panel_size` must be at least 16'),
    ({}, dict(columns=1), ValueError, '`columns` must be at least 2'),
    ({}, dict(columns=2.5), TypeError, '`columns` must be an integer'),
])
def test_bad_input(changed, options, error, message):
    query = view(8, 9)._replace(**changed)
    with pytest.raises(error, match=message):
        retrieval_figure(query, [], **options)
