"""Writes scenes in the folder layouts of real data sets.

Names depend on the scene's number alone, so a data set can be made to grow,
and an interrupted run be taken up. A scene's image is written last: where it
is, the label maps are.
"""

import io
import os
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from scene_layouts import scene_paths, semantic_ids

from mmhierseg.datasets.scenes.categories import voc_palette
from mmhierseg.datasets.scenes.scene import (
    Scene,
    SceneOptions,
    make_scene,
    scene_index,
)

__all__ = ['encode_label_map', 'label_map', 'write_file', 'write_scene']

_JPEG_QUALITY = 95


def write_scene(root: Path, layout: str, split: str, number: int, seed: int,
                options: SceneOptions) -> bool:
    """Make a scene and write it, unless it is there.

    Args:
        root (Path): The data set's root.
        layout (str): One of ``layouts.LAYOUTS``.
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
        for target in targets:
            content = _encode(scene, field, layout, target)
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


def label_map(scene: Scene, field: str, layout: str) -> np.ndarray:
    """A label map of a scene as a layout has it.

    Args:
        scene (Scene): The scene.
        field (str): 'semantic', 'objects', 'parts', or 'panoptic', which is
            KITTI-STEP's: R = class, 256 G + B = object.
        layout (str): One of ``layouts.LAYOUTS``.

    Returns:
        np.ndarray: (H, W) uint8, or (H, W, 3) if panoptic. Objects and parts
        have the scene's own ids, semantic classes the layout's.
    """
    if field in ('objects', 'parts'):
        return getattr(scene, field)
    classes = semantic_ids(layout)[scene.semantic]
    if field == 'semantic':
        return classes
    # There are fewer than 256 objects, so that G is 0.
    return np.stack((classes, np.zeros_like(classes), scene.objects), axis=2)


def encode_label_map(labels: np.ndarray, palette: np.ndarray) -> bytes:
    """Encode a label map as PNG.

    Args:
        labels (np.ndarray): (H, W) uint8, which gets the palette, or
            (H, W, 3) uint8.
        palette (np.ndarray): (256, 3) uint8, RGB.

    Returns:
        bytes: Content of the file.
    """
    image = Image.fromarray(labels)
    if image.mode == 'L':
        image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()


def _encode(scene: Scene, field: str, layout: str, target: str) -> bytes:
    """An image as its name says, a label map as PNG with a palette."""
    if field == 'image':
        buffer = io.BytesIO()
        image = Image.fromarray(scene.image)
        if target.endswith('.png'):
            image.save(buffer, format='PNG')
        else:
            image.save(buffer, format='JPEG', quality=_JPEG_QUALITY)
        return buffer.getvalue()
    return encode_label_map(label_map(scene, field, layout), voc_palette())
