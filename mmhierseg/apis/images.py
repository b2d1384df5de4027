"""Images that a user names: files, folders, arrays, or lists of them."""

import os
from pathlib import Path
from typing import List, Sequence, Union

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ['ImageInput', 'image_name', 'list_images', 'read_image']

ImageInput = Union[str, os.PathLike, np.ndarray]

# What is taken out of a folder; a file that is named may have any suffix.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif',
                  '.tiff', '.webp')


def list_images(
        inputs: Union[ImageInput, Sequence[ImageInput]]) -> List[ImageInput]:
    """Resolve folders, and check that everything is there.

    Args:
        inputs (str | os.PathLike | np.ndarray | Sequence): File, folder (its
            images in alphabetical order, without sub-folders), array, or a
            list of these.

    Returns:
        list: Paths as str, and arrays, in the order given.

    Raises:
        FileNotFoundError: If a path does not exist.
        TypeError: If something is neither path nor array.
        ValueError: If there is no image at all, or none in a folder.
    """
    if isinstance(inputs, (str, os.PathLike, np.ndarray)):
        inputs = [inputs]
    if not isinstance(inputs, Sequence):
        raise TypeError('`inputs` must be a path, an array or a list of them, '
                        f'got {type(inputs).__name__}')
    images: List[ImageInput] = []
    for item in inputs:
        if isinstance(item, np.ndarray):
            images.append(item)
        elif isinstance(item, (str, os.PathLike)):
            images.extend(_list_path(Path(item)))
        else:
            raise TypeError('`inputs` must hold paths and arrays, got '
                            f'{type(item).__name__}')
    if not images:
        raise ValueError('`inputs` must hold at least one image, got none')
    return images


def read_image(image: ImageInput) -> np.ndarray:
    """Read an image as RGB.

    Args:
        image (str | os.PathLike | np.ndarray): File, or array as OpenMMLab's
            loaders make them: (H, W, 3) uint8 in *BGR* order, or (H, W).

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB, turned upright where EXIF says how.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If the array is not uint8.
        ValueError: If the file cannot be read as an image, to its end, or the
            array has another shape.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    path = Path(image)
    if not path.is_file():
        raise FileNotFoundError(f'image {str(path)!r} does not exist')
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            return np.array(upright.convert('RGB'))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        reason = ('it is in no image format that Pillow knows' if isinstance(
            error, UnidentifiedImageError) else str(error))
        raise ValueError(f'image {str(path)!r} cannot be read: {reason}; '
                         'replace or remove it') from error


def image_name(image: ImageInput, index: int) -> str:
    """Name to file an image's results under.

    Args:
        image (str | os.PathLike | np.ndarray): The image.
        index (int): Its number among the inputs, which names an array.

    Returns:
        str: Name without suffix.

    Example:
        >>> image_name('photos/coffee.png', 4)
        'coffee'
        >>> image_name(np.zeros((2, 2, 3), dtype=np.uint8), 4)
        'image_00004'
    """
    if isinstance(image, np.ndarray):
        return f'image_{index:05d}'
    return Path(image).stem


def _list_path(path: Path) -> List[str]:
    if path.is_dir():
        found = sorted(
            str(child) for child in path.iterdir()
            if child.suffix.lower() in IMAGE_SUFFIXES and child.is_file())
        if not found:
            raise ValueError(f'folder {str(path)!r} holds no images (files '
                             f'ending in {", ".join(IMAGE_SUFFIXES)})')
        return found
    if not path.is_file():
        raise FileNotFoundError(f'image {str(path)!r} does not exist')
    return [str(path)]


def _from_array(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8:
        raise TypeError('an image array must be uint8 with values in 0..255, '
                        f'got dtype {image.dtype}')
    if image.ndim == 2:
        image = image[..., None].repeat(3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError('an image array must have shape (H, W, 3), BGR, or '
                         f'(H, W), got {image.shape}')
    return np.ascontiguousarray(image[..., ::-1])
