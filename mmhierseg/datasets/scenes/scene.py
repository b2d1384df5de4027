"""Part-whole scenes: textured objects made of parts, with all their labels.

A scene depends on its seed, its index and the options only, not on the
process, the order or the platform (see :mod:`.draws`).

Legend: H x W pixels; a semantic region is made of the objects of a category,
an object of its parts, so the three label maps nest.
"""

from dataclasses import dataclass

import numpy as np

from .categories import CATEGORIES, PARTS, POLE
from .composition import compose, label_maps
from .rendering import render

GENERATOR_VERSION = 1
"""Increases whenever the same seed and index give another scene."""

FIRST_VAL_INDEX = 1_200_000_000
"""First index of validation, whatever the size of the training set."""

_NAMES = tuple(category.name for category in CATEGORIES)


@dataclass(frozen=True)
class SceneOptions:
    """Contents of the scenes.

    Args:
        size (tuple[int, int]): (H, W) in pixels, each at least 8; from 32 on
            all parts of the main object are visible. Defaults to (224, 224).
        categories (tuple[str, ...]): Names of the categories to draw from.
            Defaults to all twelve.
        max_others (int): Most objects beside the main one, 0 to 50. Defaults
            to 3.
        num_poles (int): Number of poles, a thin structure with a category of
            its own (id 13), in each scene, 0 to 50. Defaults to 0.
        typical_colors (float): Probability that a part has the colours
            typical of its kind, as tyres are black. Defaults to 0: colours
            are random in every scene and carry no information.

    Raises:
        ValueError: If a value is out of its range.
    """

    size: tuple[int, int] = (224, 224)
    categories: tuple[str, ...] = _NAMES
    max_others: int = 3
    num_poles: int = 0
    typical_colors: float = 0.

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 8:
            raise ValueError('`size` must be (height, width), each at least '
                             f'8, got {self.size}')
        names = set(self.categories)
        if (not names or not names.issubset(_NAMES)
                or len(names) < len(self.categories)):
            raise ValueError('`categories` must name some of '
                             f'{", ".join(_NAMES)}, each one once; got '
                             f'{self.categories}')
        for name, high in (('max_others', 50), ('num_poles', 50),
                           ('typical_colors', 1)):
            value = getattr(self, name)
            if not 0 <= value <= high:
                raise ValueError(f'`{name}` must lie in 0..{high}, got '
                                 f'{value}')


@dataclass(frozen=True)
class Scene:
    """A scene with its labels."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""

    semantic: np.ndarray
    """(H, W) uint8, category id; 0 = background, 13 = pole."""

    objects: np.ndarray
    """(H, W) uint8, number of the object, the largest first, poles last; 0 =
    background."""

    parts: np.ndarray
    """(H, W) uint8, part id, different for each category's parts: 1 + index
    into ``PARTS``; 0 = background."""

    label: int
    """Category of the largest object that is no pole: index into the
    categories of the options."""

    @property
    def part_instances(self) -> np.ndarray:
        """Parts per object, (H, W) int64; 0 = background, ids are compact."""
        pairs = self.objects.astype(np.int64) * (len(PARTS) + 1) + self.parts
        values, numbers = np.unique(pairs, return_inverse=True)
        # Background has the smallest number, if there is any.
        return numbers.reshape(pairs.shape) + int(values[0] != 0)


def scene_index(split: str, number: int) -> int:
    """Index, for :func:`make_scene`, of a scene of 'train' or 'val'."""
    if split not in ('train', 'val'):
        raise ValueError(f"`split` must be 'train' or 'val', got {split!r}")
    return number + FIRST_VAL_INDEX * (split == 'val')


def make_scene(seed: int,
               index: int,
               options: SceneOptions = SceneOptions()) -> Scene:
    """Make one scene.

    Categories take turns, so that any run of scenes is balanced: the label is
    ``index`` modulo the number of categories.

    Args:
        seed (int): Seed of the dataset, in [0, 2^64).
        index (int): Index of the scene in it, in [0, 2^32). Scenes from
            ``FIRST_VAL_INDEX`` on are for validation.
        options (SceneOptions): Contents of the scene.

    Raises:
        ValueError: If seed or index are out of their range.

    Example:
        >>> scene = make_scene(0, 3, SceneOptions(size=(64, 96)))
        >>> scene.image.shape, scene.semantic.shape, scene.label
        ((64, 96, 3), (64, 96), 3)
        >>> CATEGORIES[scene.label].name
        'boat'
    """
    for name, value, bits in (('seed', seed, 64), ('index', index, 32)):
        if not 0 <= value < 2**bits:
            raise ValueError(f'`{name}` must lie in [0, 2^{bits}), got '
                             f'{value}')
    # By name: the default generator may change between NumPy's versions.
    rng = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(index, ))))
    ids = [1 + _NAMES.index(name) for name in options.categories]
    label = index % len(ids)
    composition = compose(rng, ids[label], tuple(options.size), ids,
                          options.max_others, options.num_poles)
    semantic, objects, parts = label_maps(composition)
    image = render(rng, composition, options.typical_colors)
    return Scene(image, semantic, objects, parts, label)


def class_names(num_poles: int = 0) -> tuple[str, ...]:
    """Names of the semantic classes, background first; poles, if any, last."""
    return ('background', *_NAMES) + ((POLE.name, ) if num_poles else ())
