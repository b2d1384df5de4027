"""Read images that a user names: files, folders, arrays, or lists of them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ['ImageInput', 'image_name', 'list_images', 'read_image']

ImageInput = str | os.PathLike | np.ndarray

# What is taken out of a folder; a file that is named may have any suffix.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif',
                  '.tiff', '.webp')

# Modes of Pillow of which it knows the colours.
_COLOR_MODES = ('1', 'L', 'P', 'RGB', 'RGBX', 'CMYK', 'YCbCr', 'LAB', 'HSV')
_ALPHA_MODES = ('LA', 'PA', 'RGBA', 'RGBa')
# Their 16 bits come as mode 'I', of 32 bits (PNG: from older versions).
_16_BIT_FORMATS = ('PNG', 'PPM')


def list_images(
        inputs: ImageInput | Sequence[ImageInput]) -> list[ImageInput]:
    """Resolve folders, and check that everything is there.

    Of a folder the images are taken in alphabetical order, without those of
    sub-folders. Paths come back as str, arrays as they are.
    """
    if isinstance(inputs, (str, os.PathLike, np.ndarray)):
        inputs = [inputs]
    if not isinstance(inputs, Sequence):
        raise TypeError('`inputs` must be a path, an array or a list of them, '
                        f'got {type(inputs).__name__}')
    images: list[ImageInput] = []
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

    16-bit grey is scaled from 0..65535 to 0..255. Transparency is blended with
    white. Of an animation the first frame is taken.

    Args:
        image (str | os.PathLike | np.ndarray): File, or array as OpenMMLab's
            loaders make them: (H, W, 3) uint8 in *BGR* order, or (H, W).

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB, rotated as EXIF says.

    Raises:
        FileNotFoundError, TypeError, ValueError: If it is missing, cut short
            or no image, or has values of unknown range.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    path = Path(image)
    if not path.is_file():
        raise FileNotFoundError(f'image {str(path)!r} does not exist')
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            upright.format = opened.format
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        reason = ('it is in no image format that Pillow knows' if isinstance(
            error, UnidentifiedImageError) else str(error))
        raise ValueError(f'image {str(path)!r} cannot be read: {reason}; '
                         'replace or remove it') from error
    return np.array(_to_rgb(upright, path))


def image_name(image: ImageInput, index: int) -> str:
    """Name for the results of an image; arrays are numbered."""
    if isinstance(image, np.ndarray):
        return f'image_{index:05d}'
    return Path(image).stem


def _list_path(path: Path) -> list[str]:
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


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode.startswith('I;16') or (image.mode == 'I' and
                                         image.format in _16_BIT_FORMATS):
        return _from_16_bits(image)
    # A palette may have alpha without saying so.
    if (image.mode in _ALPHA_MODES or image.mode == 'P'
            or 'transparency' in image.info):
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        return Image.alpha_composite(white, image).convert('RGB')
    if image.mode in _COLOR_MODES:
        return image.convert('RGB')
    raise ValueError(
        f'image {str(path)!r} has values of unknown range (mode '
        f'{image.mode!r} of Pillow: floats, or more than 16 bits); scale them '
        'to 0..255 and save them with 8 bits, or as 16-bit grey, 0..65535')


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.array(image).astype(np.float32)
    # The one grey that a PNG may declare to be transparent.
    key = image.info.get('transparency')
    if key is not None:
        values[values == key] = 65535
    grey = np.rint(values / 257).astype(np.uint8)
    return Image.fromarray(grey).convert('RGB')
