"""A scene with its superpixels, and the best that can be made of them."""

from typing import List, Sequence

import numpy as np

from mmhierseg.datasets.scenes import Scene
from mmhierseg.visualization import draw_boundaries
from mmhierseg.visualization.canvas import Panel, draw_grid
from mmhierseg.visualization.scene_figure import draw_label_map

from .measure import best_labelling, segments_of

__all__ = ['draw']


def draw(scene: Scene, methods: Sequence[str],
         sizes: Sequence[int]) -> np.ndarray:
    """Draw superpixels of every kind above their best labelling.

    Args:
        scene (Scene): The scene.
        methods (Sequence[str]): Two rows each.
        sizes (Sequence[int]): ``segment_size`` of the columns.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.
    """
    rows: List[List[Panel]] = []
    for method in methods:
        above = [Panel(scene.image, 'image')]
        below = [Panel(draw_label_map(scene.semantic), 'true classes')]
        for size in sizes:
            labels = segments_of(scene, method, size)
            above.append(
                Panel(
                    draw_boundaries(scene.image, labels, outline=0.),
                    f'{method} {size}', f'{labels.max() + 1} segments'))
            below.append(
                Panel(
                    draw_label_map(best_labelling(labels, scene.semantic)),
                    'best labelling'))
        rows += [above, below]
    return draw_grid(rows)
