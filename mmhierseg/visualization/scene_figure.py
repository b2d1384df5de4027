"""One picture of some part-whole scenes with their label maps."""

from typing import List

import numpy as np

from mmhierseg.datasets.scenes import (
    Scene,
    SceneOptions,
    make_scene,
)

from .canvas import Panel, draw_grid
from .colors import distinct_colors

__all__ = ['draw_label_map', 'draw_scene_figure']


def draw_scene_figure(seed: int,
                     options: SceneOptions,
                     columns: int = 6) -> np.ndarray:
    """Figure of the first scenes, one of each category.

    Args:
        seed (int): Seed of the data set.
        options (SceneOptions): What scenes are made of.
        columns (int): Most scenes side by side. Defaults to 6.

    Returns:
        np.ndarray: (H', W', 3) uint8, RGB. For each scene from top to bottom:
        image, semantic map, objects, parts.
    """
    count = len(options.categories)
    scenes = [make_scene(seed, i, options) for i in range(count)]
    rows: List[List[Panel]] = []
    for first in range(0, count, columns):
        rows += _block(scenes[first:first + columns], options)
    font_size = int(np.clip(options.size[1] / 12, 11, 24))
    return draw_grid(rows, font_size=font_size)


def draw_label_map(labels: np.ndarray) -> np.ndarray:
    """Labels in colours that are far apart for neighbouring ids.

    Args:
        labels (np.ndarray): (H, W) integer, 0 = background, drawn dark.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.
    """
    return distinct_colors(int(labels.max()) + 1)[labels]


def _block(scenes: List[Scene], options: SceneOptions) -> List[List[Panel]]:
    """Four rows, one column per scene."""
    def row(title: str, field: str) -> List[Panel]:
        return [
            Panel(
                draw_label_map(getattr(scene, field)),
                title if i == 0 else '') for i, scene in enumerate(scenes)
        ]

    images = [
        Panel(scene.image, options.categories[scene.label])
        for scene in scenes
    ]
    return [
        images,
        row('semantic', 'semantic'),
        row('objects', 'objects'),
        row('parts', 'parts')
    ]
