"""Read images that a user names, and scale them to the size a model sees."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmhierseg._base.image_files import (
    IMAGE_SUFFIXES,
    list_files,
    load_upright,
)
from mmhierseg._base.names import output_names

ImageInput = str | os.PathLike | np.ndarray
# 'original', the shorter side, or height and width.
ImageSize = str | int | tuple[int, int]

# Limits to memory: of the longer side with 'original', and of its ratio to the
# shorter one if that is given.
MAX_ORIGINAL_SIDE = 1024
MAX_ASPECT_RATIO = 4
# The stride of CAST's stem.
MIN_SIDE = 8


def list_images(
        inputs: ImageInput | Sequence[ImageInput],
        exclude: str | os.PathLike | None = None) -> list[ImageInput]:
    """Paths and arrays of the images, those below a folder sorted by path.

    A file that is named may have any suffix. ``exclude`` is a folder whose
    files are not taken out of another.
    """
    images: list[ImageInput] = []
    for item in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        if isinstance(item, np.ndarray):
            images.append(item)
        elif isinstance(item, (str, os.PathLike)):
            images.extend(_list_path(Path(item), exclude))
        else:
            raise TypeError('`inputs` must be a path, an array or a list of '
                            f'them, got {type(item).__name__}')
    if not images:
        raise ValueError('`inputs` must hold at least one image, got none')
    return images


def image_names(images: Sequence[ImageInput],
                root: ImageInput | Sequence[ImageInput] = ()) -> list[str]:
    """Names for the results of images; arrays are numbered.

    They are paths below ``root`` if that is a folder, or else below the
    folder that all images share.
    """
    if isinstance(root, (list, tuple)) and len(root) == 1:
        root = root[0]
    is_folder = isinstance(root, (str, os.PathLike)) and os.path.isdir(root)
    names = output_names(
        [image for image in images if not isinstance(image, np.ndarray)],
        root if is_folder else None)
    return [
        f'image_{index:05d}' if isinstance(image, np.ndarray) else
        names[os.fspath(image)] for index, image in enumerate(images)
    ]


def read_image(image: ImageInput) -> np.ndarray:
    """Read an image, or an array (H, W, 3) in BGR or (H, W), as RGB uint8.

    16-bit grey is scaled from 0..65535 to 0..255, transparency is blended with
    white, EXIF's rotation is applied, and an animation's first frame is taken.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    path = Path(image)
    if not path.is_file():
        raise FileNotFoundError(f'image {str(path)!r} does not exist')
    try:
        return np.array(_to_rgb(load_upright(path.read_bytes())))
    except Exception as error:  # Of damaged files, Pillow raises any.
        reason = str(error) or type(error).__name__
        raise ValueError(f'image {str(path)!r} cannot be read: {reason}; '
                         'replace or remove it') from error


def _list_path(path: Path, exclude: str | os.PathLike | None) -> list[str]:
    if path.is_file():
        return [str(path)]
    if not path.is_dir():
        raise FileNotFoundError(f'image {str(path)!r} does not exist')
    found = list_files(path, IMAGE_SUFFIXES, exclude)
    if not found:
        raise ValueError(f'folder {str(path)!r} holds no images (files '
                         f'ending in {", ".join(IMAGE_SUFFIXES)})')
    return [str(path / name) for name in found]


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


def _to_rgb(image: Image.Image) -> Image.Image:
    # The 16 bits of a PGM come as mode 'I', of 32 bits.
    mode = image.mode
    if mode.startswith('I;16') or (mode, image.format) == ('I', 'PPM'):
        values = np.array(image).astype(np.float32)
        # The one grey that a PNG may declare to be transparent.
        if 'transparency' in image.info:
            values[values == image.info['transparency']] = 65535
        grey = np.rint(values / 257).astype(np.uint8)
        return Image.fromarray(grey).convert('RGB')
    if mode in ('F', 'I'):
        raise ValueError(
            f'its values are of unknown range (mode {mode!r} of Pillow: '
            'floats, or more than 16 bits); scale them to 0..255 and save '
            'them with 8 bits, or as 16-bit grey, 0..65535')
    if image.has_transparency_data:
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, 'white')
        image = Image.alpha_composite(white, image)
    return image.convert('RGB')


def check_image_size(img_size: ImageSize) -> ImageSize:
    """Check a user's choice of size; returns it, a pair as a tuple."""
    if img_size == 'original':
        return img_size
    pair = isinstance(img_size, (tuple, list)) and len(img_size) == 2
    sides = tuple(img_size) if pair else (img_size, )
    if not all(type(side) is int and side >= MIN_SIDE for side in sides):
        raise ValueError(
            "`img_size` must be None, 'original', the shorter side or (height,"
            f' width), at least {MIN_SIDE} pixels, got {img_size!r}')
    return sides if pair else img_size


def parse_image_size(text: str) -> ImageSize:
    """Parse the option of a command line: '224', '224x320' or 'original'."""
    if text == 'original':
        return text
    if not re.fullmatch(r'\d+(x\d+)?', text):
        raise argparse.ArgumentTypeError(
            f"must be like 224, 224x320 or 'original', got {text!r}")
    sides = tuple(map(int, text.split('x')))
    return sides if len(sides) == 2 else sides[0]


def scale_image(image: np.ndarray, img_size: ImageSize) -> np.ndarray:
    """Scale an image (H, W, 3) uint8, bicubic and antialiased."""
    shape = image.shape[:2]
    if isinstance(img_size, tuple):
        height, width = img_size
    else:
        scale = (
            min(1., MAX_ORIGINAL_SIDE / max(shape))
            if img_size == 'original' else min(
                img_size / min(shape),
                MAX_ASPECT_RATIO * img_size / max(shape)))
        height, width = (max(1, round(side * scale)) for side in shape)
    if (height, width) == shape:
        return image
    return np.array(
        Image.fromarray(image).resize((width, height),
                                      Image.Resampling.BICUBIC))


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize label maps (B, h, w) to (B, H, W), by nearest pixel centres."""
    # In integers, floor((2 i + 1) old / (2 new)): no rounding errors.
    rows, cols = ((2 * torch.arange(new, device=labels.device) + 1) * old //
                  (2 * new) for new, old in zip(size, labels.shape[1:]))
    return labels[:, rows][:, :, cols]
