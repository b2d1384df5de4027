"""Photographs and drawn scenes that benchmarks work on."""

from pathlib import Path

import numpy as np
import torch
from mmengine.utils import to_2tuple
from PIL import Image
from torch import Tensor

from mmhierseg.datasets.scenes import Scene, SceneOptions, make_scene
from tools.dataset_converters.skimage_photos import find_photographs

__all__ = ['make_mosaic', 'make_photographs', 'make_scenes', 'to_tensor',
           'write_photographs']

#: Width and height of files: the most frequent size in ImageNet, whose images
#: are of 400 x 350 in the mean and of about 110 kB.
_SIZE, _QUALITY = (500, 375), 98


def to_tensor(image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 array to a (3, H, W) tensor."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)


def make_photographs(number: int, size: int | tuple[int, int]) -> Tensor:
    """Photographs that scikit-image ships, scaled to one size.

    Args:
        number (int): How many; from the first again after the last.
        size (int | tuple[int, int]): Height and width.

    Returns:
        Tensor: (number, 3, H, W) uint8, RGB.
    """
    height, width = (size, size) if isinstance(size, int) else size
    paths, images = find_photographs(), []
    for index in range(number):
        with Image.open(paths[index % len(paths)]) as photo:
            photo = photo.convert('RGB').resize((width, height),
                                                Image.Resampling.BICUBIC)
        images.append(to_tensor(np.array(photo)))
    return torch.stack(images)


def make_mosaic(width: int, height: int, columns: int = 4) -> Image.Image:
    """A large photograph, of others side by side.

    Args:
        width (int): In pixels.
        height (int): In pixels.
        columns (int): And rows. Defaults to 4.
    """
    paths, mosaic = find_photographs(), Image.new('RGB', (width, height))
    for index in range(columns**2):
        (top, left), (bottom, right) = (
            (i * height // columns, j * width // columns)
            for i, j in (divmod(index, columns),
                         (index // columns + 1, index % columns + 1)))
        with Image.open(paths[index % len(paths)]) as photo:
            mosaic.paste(photo.convert('RGB').resize(
                (right - left, bottom - top)), (left, top))
    return mosaic


def make_scenes(number: int, size: int | tuple[int, int], first: int = 0,
                **options: object) -> list[Scene]:
    """Part-whole scenes, whose regions are known.

    Args:
        number (int): How many.
        size (int | tuple[int, int]): Height and width.
        first (int): Index of the first one. Defaults to 0.
        **options: More of ``SceneOptions``.
    """
    options = SceneOptions(size=to_2tuple(size), **options)
    return [make_scene(0, first + i, options) for i in range(number)]


def write_photographs(folder: Path, number: int) -> None:
    """Write JPEGs in the layout of ImageNet's training set.

    Args:
        folder (Path): Root of the dataset; files go to ``train/photos``.
        number (int): How many; each is another crop of a photograph.
    """
    photographs = find_photographs()
    rng = np.random.default_rng(0)
    target = folder / 'train' / 'photos'
    target.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        with Image.open(photographs[index % len(photographs)]) as photo:
            image = _crop(photo.convert('RGB'), rng)
        image.save(target / f'{index:05d}.JPEG', quality=_QUALITY)


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """As wide and high as fits, 0.7 to 1 of it, anywhere."""
    width, height = _SIZE
    scale = min(photo.width / width, photo.height / height)
    scale *= rng.uniform(0.7, 1.)
    width, height = width * scale, height * scale
    left = rng.uniform(0, photo.width - width)
    top = rng.uniform(0, photo.height - height)
    return photo.resize(
        _SIZE, Image.Resampling.BICUBIC,
        box=(left, top, left + width, top + height))
