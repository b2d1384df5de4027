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
    maps = [few_numbers(labels) - 1 for labels in label_maps]
    return [np.vstack([colors, NONE_COLOR]).astype(np.uint8)[labels]
            for colors, labels in zip(level_colors(maps), maps)]


def level_colors(label_maps: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Colours of the segments of nested label maps.

    The hues of a segment are divided among its children, by their number of
    pixels; one after the other is darker or lighter than their parent.

    Args:
        label_maps (Sequence[np.ndarray]): Per level, fine to coarse, (H, W)
            integer in [-1, N_l - 1], -1 = none.

    Returns:
        list[np.ndarray]: Per level (N_l, 3) uint8, RGB.
    """
    # A pixel of each of the finest segments stands for it. Pixels are many:
    # by rows, so that they are not copied.
    weight = np.zeros(int(label_maps[0].max()) + 2, np.int64)
    place = np.zeros(len(weight), np.int64)
    for row, labels in enumerate(label_maps[0]):
        weight += np.bincount(labels + 1, minlength=len(weight))
        place[labels + 1] = row * len(labels) + np.arange(len(labels))
    found: list[np.ndarray] = []
    parent = np.zeros(len(place), np.int64)
    start, width = np.zeros(1), np.ones(1)
    lightness = np.full(1, _LIGHTNESS)
    for depth, labels in enumerate(reversed(label_maps)):
        index = labels.ravel()[place] + 1
        area = np.bincount(index, weight, int(labels.max()) + 2)
        above = np.zeros(len(area), np.int64)
        above[index] = parent
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


def track_colors(ids: np.ndarray, parents: np.ndarray | None = None,
                 depth: int = 0) -> np.ndarray:
    """Colours of segments that depend on their ids and parents alone.

    Hues of successive ids are golden angles apart; of a parent's, children
    deviate the less the deeper they are.

    Args:
        ids (np.ndarray): (N,) integer.
        parents (np.ndarray, optional): (N, 3) float, CIE Lab, colours of the
            parents. None: at the top.
        depth (int): Levels above.

    Returns:
        np.ndarray: (N, 3) float, CIE Lab, for :func:`lab_to_rgb`.
    """
    angle = 2 * np.pi * 0.618034 * ids
    spread = _CHROMA if parents is None else _CHROMA / 2 * _FADE**depth
    offset = np.stack([
        np.where(ids % 2, -1, 1) * _STEP * _FADE**depth,
        spread * np.cos(angle), spread * np.sin(angle)
    ], axis=1)
    return offset + ([_LIGHTNESS, 0, 0] if parents is None else parents)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 of CIE Lab, neither too dark, too bright nor too vivid."""
    lab = np.array(lab)
    lab[:, 0] = lab[:, 0].clip(25, 90)
    chroma = np.hypot(lab[:, 1], lab[:, 2])[:, None]
    lab[:, 1:] *= np.minimum(1, 60 / chroma.clip(1e-9))
    return (lab2rgb(lab[None])[0] * 255).round().astype(np.uint8)


def _to_rgb(hue: np.ndarray, chroma: np.ndarray,
            lightness: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 of hues and chromas in [0, 1] and lightness of CIE Lab."""
    angle = 2 * np.pi * hue
    return lab_to_rgb(np.stack([
        lightness, _CHROMA * chroma * np.cos(angle),
        _CHROMA * chroma * np.sin(angle)
    ], axis=1))
