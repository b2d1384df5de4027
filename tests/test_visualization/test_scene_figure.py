import numpy as np
import pytest
from helpers.figures import places_of

from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.visualization.scene_figure import (
    draw_label_map,
    draw_scene_figure,
)


def test_label_map_has_distinct_colours():
    labels = np.arange(60).reshape(6, 10)
    drawn = draw_label_map(labels)
    assert drawn.shape == (6, 10, 3) and drawn.dtype == np.uint8
    colours = drawn.reshape(-1, 3).astype(int)
    assert len(np.unique(colours, axis=0)) == 60
    # Neighbouring numbers, as the parts of a category have, differ clearly.
    assert abs(np.diff(colours, axis=0)).sum(1).min() > 100


@pytest.mark.parametrize('columns', [2, 3])
def test_shows_each_scene_with_its_maps_below(columns):
    options = SceneOptions(size=(32, 48), categories=('boat', 'car', 'dog'))
    figure = draw_scene_figure(0, options, columns=columns)
    for i in range(3):
        scene = make_scene(0, i, options)
        places = [places_of(figure, scene.image)] + [
            places_of(figure, draw_label_map(getattr(scene, name)))
            for name in ('semantic', 'objects', 'parts')
        ]
        column = places[0][0][1]
        rows = [[y for y, x in found if x == column] for found in places]
        # With one object, its semantic and its object map may be equal.
        assert rows[0][0] < rows[1][0] <= rows[2][-1] < rows[3][-1]
