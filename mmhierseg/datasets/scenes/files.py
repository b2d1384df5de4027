"""Writes scenes in the folder layouts of ImageNet and of Pascal VOC 2012.

Names depend on the scene's number alone, so a data set can be made to grow,
and an interrupted run be taken up. A scene's image is written last: where it
is, the label maps are.
"""

import io
import os
from pathlib import Path, PurePosixPath
from typing import Dict, Tuple

import numpy as np
from PIL import Image

from .scene import FIRST_VAL_INDEX, Scene, SceneOptions, make_scene

__all__ = [
    'LAYOUTS', 'scene_index', 'scene_paths', 'voc_image_set', 'voc_palette',
    'write_file', 'write_scene'
]

LAYOUTS = ('imagenet', 'voc')
_MAP_NAMES = dict(semantic='semantic', objects='object', parts='part')
_JPEG_QUALITY = 95


def scene_index(split: str, number: int) -> int:
    """Index of a scene of a split.

    Args:
        split (str): 'train' or 'val'.
        number (int): Number of the scene in its split.

    Returns:
        int: What :func:`make_scene` takes.
    """
    if split not in ('train', 'val'):
        raise ValueError(f"`split` must be 'train' or 'val', got {split!r}")
    return number + FIRST_VAL_INDEX * (split == 'val')


def voc_image_set(number: int, num_categories: int) -> str:
    """Which training list of VOC a training scene belongs to.

    Every other round of the categories is in the small set 'train', the rest
    in 'aug', as SBD's images are beside VOC's own: both are balanced, and a
    scene stays where it is when the data set grows.

    Example:
        >>> [voc_image_set(i, 2) for i in range(6)]
        ['train', 'train', 'aug', 'aug', 'train', 'train']
    """
    return ('train', 'aug')[number // num_categories % 2]


def scene_paths(layout: str, split: str, number: int,
                options: SceneOptions) -> Dict[str, Tuple[str, ...]]:
    """Where the arrays of a scene go.

    Args:
        layout (str): 'imagenet' or 'voc'.
        split (str): 'train' or 'val'.
        number (int): Number of the scene in its split.
        options (SceneOptions): What scenes are made of.

    Returns:
        dict[str, tuple[str, ...]]: Per field of :class:`Scene` the paths,
        relative to the data set's root; the image is the last.

    Example:
        >>> paths = scene_paths('imagenet', 'val', 3, SceneOptions())
        >>> paths['image']
        ('val/boat/boat_00000003.JPEG',)
    """
    if layout not in LAYOUTS:
        raise ValueError(f'`layout` must be one of {LAYOUTS}, got {layout!r}')
    categories = options.categories
    if layout == 'imagenet':
        name = categories[scene_index(split, number) % len(categories)]
        stem = f'{split}/{name}/{name}_{number:08d}'
        return {
            **{
                field: (f'maps/{folder}/{stem}.png', )
                for field, folder in _MAP_NAMES.items()
            }, 'image': (f'{stem}.JPEG', )
        }
    stem = f'{split}_{number:08d}'
    extra = split == 'train' and voc_image_set(number,
                                               len(categories)) == 'aug'
    semantic = ('SegmentationClassAug', ) + ('SegmentationClass', ) * (
        not extra)
    return dict(
        semantic=tuple(f'{folder}/{stem}.png' for folder in semantic),
        objects=(f'SegmentationObject/{stem}.png', ),
        parts=(f'SegmentationPart/{stem}.png', ),
        image=(f'JPEGImages/{stem}.jpg', ))


def write_scene(root: Path, layout: str, split: str, number: int, seed: int,
                options: SceneOptions) -> bool:
    """Make a scene and write it, unless it is there.

    Args:
        root (Path): The data set's root.
        layout (str): 'imagenet' or 'voc'.
        split (str): 'train' or 'val'.
        number (int): Number of the scene in its split.
        seed (int): Seed of the data set.
        options (SceneOptions): What scenes are made of.

    Returns:
        bool: Whether it was written.

    Raises:
        OSError: If a file cannot be written.
    """
    paths = scene_paths(layout, split, number, options)
    if (root / paths['image'][-1]).is_file():
        return False
    scene = make_scene(seed, scene_index(split, number), options)
    for field, targets in paths.items():
        content = _encode(scene, field)
        for target in targets:
            write_file(root / PurePosixPath(target), content)
    return True


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: If it cannot be written; nothing of it is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}.part')
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, path)
    except BaseException:
        # An interrupt, too, must not leave it behind.
        unfinished.unlink(missing_ok=True)
        raise


def voc_palette() -> np.ndarray:
    """Colours of label maps as in Pascal VOC's own PNGs.

    Returns:
        np.ndarray: (256, 3) uint8; bits 3k + c of an id, low ones first, are
        the bits of channel c, high ones first.

    Example:
        >>> voc_palette()[:3].tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    ids = np.arange(256)[:, None]
    channels = np.arange(3)
    palette = sum(((ids >> (3 * k + channels)) & 1) << (7 - k)
                  for k in range(3))
    return palette.astype(np.uint8)


def _encode(scene: Scene, field: str) -> bytes:
    """An image as JPEG, a label map as PNG with a palette."""
    image = Image.fromarray(getattr(scene, field))
    buffer = io.BytesIO()
    if field == 'image':
        image.save(buffer, format='JPEG', quality=_JPEG_QUALITY)
    else:
        image.putpalette(voc_palette().tobytes())
        image.save(buffer, format='PNG')
    return buffer.getvalue()
