"""Arranges the objects of a scene, and makes its label maps from them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .categories import CATEGORIES, CATEGORY_OF_PART, first_part_id
from .draws import choose, integer
from .objects import (
    Placed,
    Size,
    calm_pose,
    draw_pole,
    draw_pose,
    place,
)

__all__ = ['Composition', 'compose', 'label_maps']

# Scales, in shorter sides of the picture per unit of an object's frame (which
# is two units wide): the main object fills most of the picture, the others up
# to half of it.
_MAIN_SCALES = (0.3, 0.46)
_OTHER_SCALES = (0.1, 0.25)
# With each attempt the others get smaller and hide less.
_ATTEMPTS = 6
_SHRINK = 0.85
# A visible part has at least one pixel in so many of the picture.
_PIXELS_PER_VISIBLE_ONE = 4000


class Composition(NamedTuple):
    """Objects and the maps that they make."""

    placed: list[Placed]
    """Objects, those in front last."""

    owner: np.ndarray
    """(H, W) int64, 1 + index into ``placed``; 0 = background."""

    parts: np.ndarray
    """(H, W) uint8, part id; 0 = background."""


def compose(rng: np.random.Generator, category_id: int, size: Size,
            others: Sequence[int], max_others: int,
            num_poles: int) -> Composition:
    """Arrange a main object and others behind and in front of it.

    Args:
        rng (np.random.Generator): Where the draws come from.
        category_id (int): Category of the main object.
        size (tuple[int, int]): (H, W).
        others (Sequence[int]): Categories of the other objects.
        max_others (int): Most other objects.
        num_poles (int): Number of poles.

    Returns:
        Composition: In it, all parts of the main object are visible, and no
        other object but a pole covers as many pixels.
    """
    shrink = 1.
    for _ in range(_ATTEMPTS):
        main = _draw(rng, category_id, size, _MAIN_SCALES, slack=0.15)
        scales = tuple(s * shrink for s in _OTHER_SCALES)
        around = [
            _draw(rng, choose(rng, others), size, scales, slack=0.7)
            for _ in range(integer(rng, 0, max_others))
        ]
        around += [draw_pole(rng, size) for _ in range(num_poles)]
        # Half of the others are in front of the main object.
        behind = [choose(rng, (True, False)) for _ in around]
        placed = [thing for thing, b in zip(around, behind) if b]
        placed += [main]
        placed += [thing for thing, b in zip(around, behind) if not b]
        composition = _composition(placed, size)
        if _shows(composition, main, category_id):
            return composition
        shrink *= _SHRINK
    # Hardly ever: a crowd that hides a part each time. The main object alone.
    category = CATEGORIES[category_id - 1]
    main = place(None, category, category_id, calm_pose(size), size)
    poles = [draw_pole(rng, size) for _ in range(num_poles)]
    return _composition([*poles, main], size)


def label_maps(
        composition: Composition
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make the three label maps.

    Args:
        composition (Composition): The scene's objects.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: Semantic, object and part
        map, (H, W) uint8, 0 = background. Objects are numbered from the
        largest to the smallest, poles last; those that are hidden have no
        number.
    """
    placed, owner, parts = composition
    counts = np.bincount(owner.ravel(), minlength=len(placed) + 1)
    visible = [i for i in range(1, len(placed) + 1) if counts[i]]
    visible.sort(key=lambda i: (_is_pole(placed[i - 1]), -counts[i]))
    numbers = np.zeros(len(placed) + 1, dtype=np.uint8)
    numbers[visible] = np.arange(1, len(visible) + 1)
    semantic = np.array(CATEGORY_OF_PART, dtype=np.uint8)[parts]
    return semantic, numbers[owner], parts


def _draw(rng: np.random.Generator, category_id: int, size: Size,
          scales: tuple[float, float], slack: float) -> Placed:
    category = CATEGORIES[category_id - 1]
    pose = draw_pose(rng, category, size, scales, slack)
    return place(rng, category, category_id, pose, size)


def _composition(placed: list[Placed], size: Size) -> Composition:
    owner = np.zeros(size, dtype=np.int64)
    parts = np.zeros(size, dtype=np.uint8)
    for number, thing in enumerate(placed, start=1):
        for silhouette in thing.silhouettes:
            inside = silhouette.distance < 0
            owner[silhouette.window][inside] = number
            parts[silhouette.window][inside] = silhouette.part_id
    return Composition(placed, owner, parts)


def _shows(composition: Composition, main: Placed, category_id: int) -> bool:
    """Whether the main object shows all its parts and is the largest."""
    placed, owner, parts = composition
    number = 1 + next(i for i, p in enumerate(placed) if p is main)
    first = first_part_id(category_id)
    last = first + len(CATEGORIES[category_id - 1].parts)
    counts = np.bincount(parts[owner == number], minlength=last)[first:last]
    areas = np.bincount(owner.ravel(), minlength=len(placed) + 1)
    baselines = [
        areas[i] for i, thing in enumerate(placed, start=1)
        if i != number and not _is_pole(thing)
    ]
    least = max(1, parts.size // _PIXELS_PER_VISIBLE_ONE)
    return bool(counts.min() >= least
                and areas[number] > max(baselines, default=0))


def _is_pole(thing: Placed) -> bool:
    return thing.category_id > len(CATEGORIES)
