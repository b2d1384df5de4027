import numpy as np
import pytest
from helpers.figures import image_of, nested_maps, places_of

from mmhierseg.visualization import (
    draw_nested_boundaries,
    hierarchy_figure,
    level_titles,
    mean_colors,
)
from mmhierseg.visualization.canvas import Panel, draw_grid, draw_legend


def test_shows_image_and_every_level():
    image, maps = image_of(24, 40), nested_maps(24, 40)
    for labels in maps:
        labels[:10, :10] = -1  # no segment
    # At the image's own size nothing is resampled.
    figure = hierarchy_figure(image, maps, panel_size=40)
    assert figure.dtype == np.uint8 and figure.shape[2] == 3
    assert places_of(figure, image)
    assert places_of(figure, draw_nested_boundaries(image, maps))
    for labels in maps:
        assert places_of(figure, mean_colors(image, labels))
    nothing = [np.full_like(labels, -1) for labels in maps]
    assert hierarchy_figure(image, nothing, panel_size=40).size


@pytest.mark.parametrize('height, width', [(1, 1), (3, 200), (97, 31)])
def test_any_size(height, width):
    figure = hierarchy_figure(
        image_of(height, width), nested_maps(height, width), panel_size=64)
    # Four columns, as wide as pictures of at most 64 pixels or their titles.
    assert 64 < figure.shape[0] < 300 and 100 < figure.shape[1] < 900


def test_means_are_those_of_the_whole_image():
    """At half size, not those of the pixels that are left."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[::2] = 200
    figure = hierarchy_figure(
        image, [np.zeros((32, 64), int)], panel_size=32)
    assert places_of(figure, np.full((16, 32, 3), 100, np.uint8))


def test_nested_boundaries_grow_with_the_level():
    image = np.full((32, 64, 3), 250, np.uint8)
    maps = nested_maps(32, 64)
    drawn = [draw_nested_boundaries(image, maps[:n]) for n in (1, 2, 3)]
    dark = int(np.float32(0.55) * 250)
    lines = [(picture != dark).any(axis=2).sum() for picture in drawn]
    assert lines[0] < lines[1] < lines[2]
    assert (drawn[2][-1, -1] == dark).all()


def test_titles():
    assert level_titles(2) == ['Superpixels', 'Level 1']
    image, maps = image_of(24, 40), nested_maps(24, 40)
    default = hierarchy_figure(image, maps, panel_size=40)
    named = hierarchy_figure(image, maps, ['a', 'b', 'c'], 'name', 40)
    assert named.shape[0] > default.shape[0]  # the header takes its place


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(label_maps=[]), ValueError, '`label_maps` must hold at least one'),
    (dict(titles=['one']), ValueError, 'one entry per level, 3, got 1'),
    (dict(panel_size=4), ValueError, '`panel_size` must be at least 16'),
    (dict(panel_size=40.5), TypeError, '`panel_size` must be an integer'),
])
def test_bad_input(kwargs, error, message):
    arguments = dict(image=image_of(24, 40), label_maps=nested_maps(24, 40))
    with pytest.raises(error, match=message):
        hierarchy_figure(**{**arguments, **kwargs})


class TestGrid:

    def test_narrow_pictures_get_room_for_their_titles(self):
        narrow = Panel(np.zeros((30, 4, 3), np.uint8), 'A long title', 'note')
        one = draw_grid([[narrow]]).shape[1]
        two = draw_grid([[narrow, narrow]]).shape[1]
        assert two - one > 60

    def test_rows_of_different_length_without_captions(self):
        picture = Panel(image_of(8, 30))
        grid = draw_grid([[picture, picture], [picture]], font_size=10)
        # Pictures of 8 x 30 pixels and gaps of 10 around them.
        assert grid.shape[:2] == (10 + 2 * 18, 10 + 2 * 40)

    def test_bad_input(self):
        with pytest.raises(ValueError, match='at least one panel'):
            draw_grid([[]])
        with pytest.raises(ValueError, match='pictures of one size'):
            draw_grid([[Panel(image_of(4, 4)), Panel(image_of(4, 5))]])


def test_legend_counts_what_does_not_fit():
    entries = [(f'{i} ' * 40, (i, 0, 0)) for i in range(100, 120)]
    legend = draw_legend(entries, (60, 90), font_size=10)
    assert legend.shape == (60, 90, 3)
    rows = {
        i: np.nonzero((legend == (i, 0, 0)).all(axis=2))[0].mean()
        for i in range(100, 120) if (legend == (i, 0, 0)).all(2).sum() > 50
    }
    # The last of four lines counts the rest.
    assert list(rows) == [100, 101, 102]
    assert rows[100] < rows[101] < rows[102]
