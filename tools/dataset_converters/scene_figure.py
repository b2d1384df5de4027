"""Figure of part-whole scenes with their label maps."""

import numpy as np

from mmhierseg.datasets.scenes import SceneOptions, make_scene
from mmhierseg.visualization.canvas import Panel, draw_grid
from mmhierseg.visualization.segments import draw_label_map


def draw_scene_figure(seed: int, options: SceneOptions) -> np.ndarray:
    """Figure of the first scenes of a dataset, one per category, RGB uint8.

    For each, from top to bottom: image, semantic map, objects, parts.
    """
    count = len(options.categories)
    scenes = [make_scene(seed, i, options) for i in range(count)]
    rows = []
    for first in range(0, count, 6):
        block = scenes[first:first + 6]
        rows.append([Panel(scene.image, options.categories[scene.label])
                     for scene in block])
        for name in ('semantic', 'objects', 'parts'):
            rows.append([
                Panel(draw_label_map(getattr(scene, name)), name * (i == 0))
                for i, scene in enumerate(block)])
    font_size = int(np.clip(options.size[1] / 12, 11, 24))
    return draw_grid(rows, font_size=font_size)
