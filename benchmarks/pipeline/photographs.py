"""Photographs of the size and weight of ImageNet's, as files.

Those that scikit-image ships, cut and scaled to 500 x 375 pixels, the most
frequent size in ImageNet, whose images are of 400 x 350 in the mean and of
about 110 kB.
"""

from pathlib import Path
from typing import List

import numpy as np
from PIL import Image

from tools.dataset_converters.skimage_photos import find_photographs

__all__ = ['SIZE', 'write_photographs']

#: Width and height.
SIZE = (500, 375)
_QUALITY = 98


def write_photographs(folder: Path, number: int) -> List[Path]:
    """Write JPEGs in the layout of ImageNet's training set.

    Args:
        folder (Path): Root of the data set; files go to ``train/photos``.
        number (int): How many; each is another crop of a photograph.

    Returns:
        List[Path]: The files.
    """
    photographs = find_photographs()
    rng = np.random.default_rng(0)
    target = folder / 'train' / 'photos'
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(number):
        with Image.open(photographs[index % len(photographs)]) as photo:
            image = _crop(photo.convert('RGB'), rng)
        paths.append(target / f'{index:05d}.JPEG')
        image.save(paths[-1], quality=_QUALITY)
    return paths


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As wide and high as fits, 0.7 to 1 of it, anywhere."""
    width, height = SIZE
    scale = min(photo.width / width, photo.height / height)
    scale *= rng.uniform(0.7, 1.)
    width, height = width * scale, height * scale
    left = rng.uniform(0, photo.width - width)
    top = rng.uniform(0, photo.height - height)
    return photo.resize(
        SIZE, Image.Resampling.BICUBIC,
        box=(left, top, left + width, top + height))
