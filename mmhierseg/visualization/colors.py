"""Colours of nested segments: children are shades of their parent."""

from collections.abc import Sequence

import numpy as np
from skimage.color import lab2rgb

from .segments import NONE_COLOR, few_numbers

_CHROMA, _LIGHTNESS = 42., 62.
#: Difference in lightness of two siblings, and how fast it fades with depth.
_STEP, _FADE = 14., 0.75


def tree_colors(tree: np.ndarray) -> np.ndarray:
    """Colours of the nodes of a merge tree.

    Hues are divided among the leaves; siblings differ in lightness, more at
    the top.

    Args:
        tree (np.ndarray): (N - 1, 4), as SciPy's ``linkage`` returns it.

    Returns:
        np.ndarray: (2 N - 1, 3) uint8, RGB; superpixels first, the root last.
    """
    count = len(tree) + 1
    sizes = np.append(np.ones(count), tree[:, 3])
    start, depth = np.zeros(2 * count - 1), np.zeros(2 * count - 1)
    lightness = np.full(2 * count - 1, _LIGHTNESS)
    for node in range(2 * count - 2, count - 1, -1):
        pair = tree[node - count, :2].astype(int)
        start[pair] = start[node], start[node] + sizes[pair[0]]
        depth[pair] = depth[node] + 1
        step = _STEP * _FADE**depth[node]
        lightness[pair] = lightness[node] + np.array([-step, step])
    # Without a hue of its own, the root is grey.
    return _to_rgb((start + sizes / 2) / count, np.minimum(depth, 2) / 2,
                   lightness)


def paint_levels(label_maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Paint nested label maps; a segment has the same hues at all levels.

    Args:
        label_maps (Sequence[np.ndarray]): Per level, fine to coarse, (H, W)
            integer, negative = none.

    Returns:
        list[np.ndarray]: Per level (H, W, 3) uint8, RGB; grey = none.
    """
    maps = [few_numbers(labels) for labels in label_maps]
    return [np.vstack([NONE_COLOR, colors]).astype(np.uint8)[index]
            for colors, index in zip(level_colors(maps), maps)]


def level_colors(label_maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Colours of the segments of nested label maps.

    The hues of a segment are divided among its children, by their number of
    pixels; one after the other is darker or lighter than their parent.

    Args:
        label_maps (Sequence[np.ndarray]): Per level, fine to coarse, (H, W)
            integer in [0, N_l], 0 = none.

    Returns:
        list[np.ndarray]: Per level (N_l, 3) uint8, RGB, of segments 1 to N_l.
    """
    found: list[np.ndarray] = []
    parent = np.zeros(label_maps[0].shape, np.int64)
    start, width = np.zeros(1), np.ones(1)
    lightness = np.full(1, _LIGHTNESS)
    for depth, index in enumerate(reversed(label_maps)):
        area = np.bincount(index.ravel()).astype(float)
        above = np.zeros(len(area), np.int64)
        above[index.ravel()] = parent.ravel()
        # Siblings after each other, the largest first; of each, its rank.
        order = np.lexsort((-area, above))
        first = np.searchsorted(above[order], above[order])
        share = np.cumsum(area[order])
        before = share - area[order]
        total = np.bincount(above, area)[above[order]]
        rank = np.empty(len(area), np.int64)
        rank[order] = np.arange(len(area)) - first
        offset, part = np.empty_like(area), np.empty_like(area)
        offset[order] = (before - before[first]) / np.maximum(total, 1)
        part[order] = area[order] / np.maximum(total, 1)
        start = start[above] + offset * width[above]
        width = part * width[above]
        lightness = lightness[above] + np.where(
            rank % 2, 1, -1) * _STEP * _FADE**depth
        found.insert(0, _to_rgb(start + width / 2, np.ones(len(area)),
                                lightness)[1:])
        parent = index
    return found


def _to_rgb(hue: np.ndarray, chroma: np.ndarray,
            lightness: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 of hues and chromas in [0, 1] and lightness of CIE Lab."""
    angle = 2 * np.pi * hue
    lab = np.stack([
        np.clip(lightness, 25, 90), _CHROMA * chroma * np.cos(angle),
        _CHROMA * chroma * np.sin(angle)
    ], axis=1)
    return (lab2rgb(lab[None])[0] * 255).round().astype(np.uint8)
