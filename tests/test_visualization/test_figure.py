import numpy as np
import pytest

from mmhierseg.visualization import (
    draw_nested_boundaries,
    hierarchy_figure,
    level_titles,
    mean_colors,
)
from mmhierseg.visualization.canvas import Panel, draw_grid


def _hierarchy(height, width):
    """Blocks of 4, 8 and 16 pixels: three nested levels."""
    rows, cols = np.mgrid[:height, :width]
    return [rows // n * 1000 + cols // n for n in (4, 8, 16)]


def _image(height, width):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _contains(figure, picture):
    """Whether a picture stands in the figure, pixel by pixel."""
    height, width = picture.shape[:2]
    rows, cols = np.nonzero((figure == picture[0, 0]).all(axis=2))
    return any(
        np.array_equal(figure[y:y + height, x:x + width], picture)
        for y, x in zip(rows, cols))


def test_figure_holds_image_and_every_level():
    image, maps = _image(24, 40), _hierarchy(24, 40)
    # At the image's own size nothing is resampled: the pictures must appear
    # in the figure as they are.
    figure = hierarchy_figure(image, maps, panel_size=40)
    assert figure.dtype == np.uint8 and figure.shape[2] == 3
    assert _contains(figure, image)
    assert _contains(figure, draw_nested_boundaries(image, maps))
    for labels in maps:
        assert _contains(figure, mean_colors(image, labels))


@pytest.mark.parametrize('height, width', [(1, 1), (3, 200), (97, 31)])
def test_any_size(height, width):
    figure = hierarchy_figure(
        _image(height, width), _hierarchy(height, width), panel_size=64)
    # Four columns (image and three levels) of the longer side at most 64, or
    # of the widest text where pictures are narrow.
    assert 64 < figure.shape[0] < 300 and 100 < figure.shape[1] < 900


def test_pixels_without_a_segment():
    image, maps = _image(24, 40), _hierarchy(24, 40)
    for labels in maps:
        labels[:10, :10] = -1
    figure = hierarchy_figure(image, maps, panel_size=40)
    assert _contains(figure, mean_colors(image, maps[-1]))
    nothing = [np.full_like(labels, -1) for labels in maps]
    assert hierarchy_figure(image, nothing, panel_size=40).size


def test_means_are_those_of_the_whole_image():
    """A figure at half size shows the means of all pixels, not of a sample."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[::2] = 200  # every second row: a sample sees only one of the two
    figure = hierarchy_figure(
        image, [np.zeros((32, 64), int)], panel_size=32)
    assert _contains(figure, np.full((16, 32, 3), 100, np.uint8))


def test_nested_boundaries_grow_with_the_level():
    image = np.full((32, 64, 3), 250, np.uint8)
    maps = _hierarchy(32, 64)
    drawn = [draw_nested_boundaries(image, maps[:n]) for n in (1, 2, 3)]
    dark = int(np.float32(0.55) * 250)
    lines = [(picture != dark).any(axis=2).sum() for picture in drawn]
    assert lines[0] < lines[1] < lines[2]
    assert (drawn[2][-1, -1] == dark).all()


def test_titles():
    assert level_titles(2) == ['Superpixels', 'Level 1']
    image, maps = _image(24, 40), _hierarchy(24, 40)
    default = hierarchy_figure(image, maps, panel_size=40)
    named = hierarchy_figure(image, maps, ['a', 'b', 'c'], 'name', 40)
    assert named.shape[0] > default.shape[0]  # the header takes its place


@pytest.mark.parametrize('kwargs, message', [
    (dict(label_maps=[]), '`label_maps` must hold at least one level'),
    (dict(titles=['one']), 'one entry per level, 3, got 1'),
    (dict(panel_size=4), '`panel_size` must be at least 16, got 4'),
])
def test_exceptions(kwargs, message):
    arguments = dict(image=_image(24, 40), label_maps=_hierarchy(24, 40))
    with pytest.raises(ValueError, match=message):
        hierarchy_figure(**{**arguments, **kwargs})


@pytest.mark.parametrize('size', [40.5, '40', True])
def test_panel_size_is_whole(size):
    with pytest.raises(TypeError, match='`panel_size` must be an integer'):
        hierarchy_figure(_image(24, 40), _hierarchy(24, 40), panel_size=size)


class TestDrawGrid:

    def test_narrow_pictures_get_room_for_their_titles(self):
        narrow = Panel(np.zeros((30, 4, 3), np.uint8), 'A long title', 'note')
        one = draw_grid([[narrow]]).shape[1]
        two = draw_grid([[narrow, narrow]]).shape[1]
        assert two - one > 60

    def test_rows_of_different_length(self):
        picture = Panel(_image(8, 30))
        grid = draw_grid([[picture, picture], [picture]], font_size=10)
        # No captions: pictures of 8 pixels and gaps of 10 around them.
        assert grid.shape[:2] == (10 + 2 * 18, 10 + 2 * 40)

    def test_exceptions(self):
        with pytest.raises(ValueError, match='at least one panel'):
            draw_grid([[]])
        with pytest.raises(ValueError, match='pictures of one size'):
            draw_grid([[Panel(_image(4, 4)), Panel(_image(4, 5))]])
