import numpy as np
import pytest

from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.visualization.scene_figure import (
    draw_label_map,
    draw_scene_figure,
)


def test_label_map_has_a_colour_for_each_id():
    labels = np.arange(60).reshape(6, 10)
    drawn = draw_label_map(labels)
    assert drawn.shape == (6, 10, 3) and drawn.dtype == np.uint8
    colours = drawn.reshape(-1, 3).astype(int)
    assert len(np.unique(colours, axis=0)) == 60
    # Neighbouring ids, as a category's parts have, are far apart.
    assert abs(np.diff(colours, axis=0)).sum(1).min() > 100


def windows_of(figure, picture):
    """Where a picture is in a figure."""
    rows = (figure.shape[0] - picture.shape[0] + 1)
    return [(y, x) for y in range(rows)
            for x in np.flatnonzero(
                (figure[y, :figure.shape[1] - picture.shape[1] + 1] == picture[
                    0, 0]).all(-1))
            if np.array_equal(
                figure[y:y + picture.shape[0], x:x + picture.shape[1]],
                picture)]


@pytest.mark.parametrize('columns', [2, 3])
def test_figure_shows_each_scene_with_its_maps_below(columns):
    options = SceneOptions(size=(32, 48), categories=('boat', 'car', 'dog'))
    figure = draw_scene_figure(0, options, columns=columns)
    for i in range(3):
        scene = make_scene(0, i, options)
        pictures = [scene.image] + [
            draw_label_map(getattr(scene, name))
            for name in ('semantic', 'objects', 'parts')
        ]
        places = [windows_of(figure, picture) for picture in pictures]
        column = places[0][0][1]
        rows = [[y for y, x in found if x == column] for found in places]
        assert all(rows)
        # With one object, its semantic and its object map may be alike.
        assert rows[0][0] < rows[1][0] <= rows[2][-1] < rows[3][-1]
