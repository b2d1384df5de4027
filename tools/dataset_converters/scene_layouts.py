"""Folder layouts of real datasets, and the ids that scenes get in them.

Scenes are drawings of twelve categories (and poles), numbered as in Pascal
VOC. In another dataset's layout a category has the id of the class of its
name; those without one, the background included, take the first classes that
no category is named like, in order. So no two categories share an id, and
every id is one of the dataset's; the name of such a class means nothing then
(in Cityscapes, a cat is a "traffic light").

PartImageNet has objects of its own: see :mod:`scene_parts`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scene_parts import image_name

from mmhierseg.datasets.kitti_step_split import SEQUENCES
from mmhierseg.datasets.scenes import SceneOptions, class_names, scene_index

__all__ = ['LAYOUTS', 'scene_paths', 'semantic_ids', 'voc_image_set']

# Names of the classes that scenes are found under, with their ids. Not taken
# from MMSegmentation, which making scenes does not need.
_CITYSCAPES = dict(pole=5, car=13, bus=15, bicycle=18)
_CLASSES: dict[str, dict[str, int]] = dict(
    cityscapes=_CITYSCAPES,
    kitti_step=_CITYSCAPES,
    # Ids in the PNGs, where 0 is ignored: `reduce_zero_label`.
    ade20k=dict(
        aeroplane=91,
        bicycle=128,
        boat=77,
        bottle=99,
        bus=81,
        car=21,
        chair=20,
        diningtable=16,
        pole=94),
    pascal_context=dict(
        background=0,
        aeroplane=1,
        bicycle=6,
        bird=7,
        boat=8,
        bottle=10,
        bus=12,
        car=14,
        cat=15,
        chair=17,
        cow=20,
        diningtable=50,
        dog=23))

Paths = dict[str, tuple[str, ...]]


def semantic_ids(layout: str) -> np.ndarray:
    """Ids of the semantic classes in the label maps of a layout.

    Args:
        layout (str): One of ``LAYOUTS``.

    Returns:
        np.ndarray: (14,) uint8, for the background, the twelve categories and
        the pole; all different.

    Example:
        >>> semantic_ids('voc').tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        >>> semantic_ids('cityscapes').tolist()
        [0, 1, 18, 2, 3, 4, 15, 13, 6, 7, 8, 9, 10, 5]
    """
    _check_layout(layout)
    names = class_names(num_poles=1)
    known = _CLASSES.get(layout, {})
    first = 1 if layout == 'ade20k' else 0
    free = (i for i in range(first, 256) if i not in known.values())
    return np.array([
        known[name] if name in known else next(free) for name in names
    ], dtype=np.uint8)


def scene_paths(layout: str, split: str, number: int,
                options: SceneOptions) -> Paths:
    """Paths of the files of a scene.

    Args:
        layout (str): One of ``LAYOUTS``.
        split (str): 'train' or 'val'.
        number (int): Number of the scene in its split.
        options (SceneOptions): Contents of the scenes.

    Returns:
        dict[str, tuple[str, ...]]: Per field of :class:`Scene`, or
        'panoptic', the paths, relative to the dataset's root; the image is
        the last.

    Example:
        >>> paths = scene_paths('imagenet', 'val', 3, SceneOptions())
        >>> paths['image']
        ('val/boat/boat_00000003.JPEG',)
    """
    _check_layout(layout)
    scene_index(split, number)
    return _PATHS[layout](split, number, options.categories)


def voc_image_set(number: int, num_categories: int) -> str:
    """Training list of VOC that a training scene belongs to.

    Every other round of the categories is in the small set 'train', the rest
    in 'aug', as SBD's images are beside VOC's own: both are balanced, and a
    scene stays in its list when the dataset grows.

    Example:
        >>> [voc_image_set(i, 2) for i in range(6)]
        ['train', 'train', 'aug', 'aug', 'train', 'train']
    """
    return ('train', 'aug')[number // num_categories % 2]


def kitti_step_frame(split: str, number: int) -> str:
    """Sequence and frame of a scene; the sequences take turns.

    Example:
        >>> kitti_step_frame('val', 0), kitti_step_frame('val', 10)
        ('val/0002/000000', 'val/0006/000001')
    """
    sequences = SEQUENCES[split]
    frame, i = divmod(number, len(sequences))
    return f'{split}/{sequences[i]:04d}/{frame:06d}'


def _check_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        raise ValueError(f'`layout` must be one of {LAYOUTS}, got {layout!r}')


def _maps(stem: str) -> Paths:
    """Label maps that the real dataset does not have."""
    return dict(
        objects=(f'maps/object/{stem}.png', ),
        parts=(f'maps/part/{stem}.png', ))


def _category(split: str, number: int, categories: Sequence[str]) -> str:
    return categories[scene_index(split, number) % len(categories)]


def _imagenet(split: str, number: int, categories: Sequence[str]) -> Paths:
    name = _category(split, number, categories)
    stem = f'{split}/{name}/{name}_{number:08d}'
    return dict(
        semantic=(f'maps/semantic/{stem}.png', ),
        **_maps(stem),
        image=(f'{stem}.JPEG', ))


def _voc(split: str, number: int, categories: Sequence[str]) -> Paths:
    stem = f'{split}_{number:08d}'
    folders = ['SegmentationClassAug']
    if split == 'val' or voc_image_set(number, len(categories)) == 'train':
        folders.append('SegmentationClass')
    return dict(
        semantic=tuple(f'{folder}/{stem}.png' for folder in folders),
        objects=(f'SegmentationObject/{stem}.png', ),
        parts=(f'SegmentationPart/{stem}.png', ),
        image=(f'JPEGImages/{stem}.jpg', ))


def _cityscapes(split: str, number: int, categories: Sequence[str]) -> Paths:
    # Real names have a city, a sequence and a frame.
    stem = f'{split}/scenes/scenes_{number:06d}_000019'
    return dict(
        semantic=(f'gtFine/{stem}_gtFine_labelTrainIds.png', ),
        **_maps(stem),
        image=(f'leftImg8bit/{stem}_leftImg8bit.png', ))


def _kitti_step(split: str, number: int, categories: Sequence[str]) -> Paths:
    stem = kitti_step_frame(split, number)
    return dict(
        panoptic=(f'panoptic_maps/{stem}.png', ),
        **_maps(stem),
        image=(f'images/{stem}.png', ))


def _ade20k(split: str, number: int, categories: Sequence[str]) -> Paths:
    folder = dict(train='training', val='validation')[split]
    stem = f'{folder}/ADE_{split}_{number + 1:08d}'
    return dict(
        semantic=(f'annotations/{stem}.png', ),
        **_maps(stem),
        image=(f'images/{stem}.jpg', ))


def _pascal_context(split: str, number: int,
                    categories: Sequence[str]) -> Paths:
    stem = f'{split}_{number:08d}'
    return dict(
        semantic=(f'SegmentationClassContext/{stem}.png', ),
        **_maps(stem),
        image=(f'JPEGImages/{stem}.jpg', ))


def _part_imagenet(split: str, number: int,
                   categories: Sequence[str]) -> Paths:
    name = image_name(_category(split, number, categories), number)
    stem = f'{split}/{name[:9]}/{name}'
    return dict(**_maps(stem), image=(f'images/{stem}.JPEG', ))


_PATHS: dict[str, Callable[[str, int, Sequence[str]], Paths]] = dict(
    imagenet=_imagenet,
    voc=_voc,
    cityscapes=_cityscapes,
    kitti_step=_kitti_step,
    ade20k=_ade20k,
    pascal_context=_pascal_context,
    part_imagenet=_part_imagenet)
LAYOUTS = tuple(_PATHS)
