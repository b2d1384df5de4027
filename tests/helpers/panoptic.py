"""A tiny KITTI-STEP of noise."""

import numpy as np
from PIL import Image

SIZE = (20, 34)


def panoptic_map(rng, size=SIZE):
    """Random panoptic map, (H, W, 3) uint8: classes 0 to 18 and 255."""
    classes = rng.integers(0, 20, size)
    classes[classes == 19] = 255
    return np.stack(
        (classes, *rng.integers(0, 256, (2, *size))), axis=2).astype(np.uint8)


def save_png(array, path):
    """Write an array as PNG; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make_kitti_step(root):
    """Two sequences of training, one of validation; returns maps by name."""
    rng = np.random.default_rng(0)
    maps = {}
    for sequence in ('train/0000', 'train/0020', 'val/0002'):
        for frame in range(2):
            name = f'{sequence}/{frame:06d}'
            maps[name] = panoptic_map(rng)
            save_png(maps[name], root / 'panoptic_maps' / f'{name}.png')
            save_png(
                rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
                root / 'images' / f'{name}.png')
    return maps
