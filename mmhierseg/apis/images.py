"""Read images that a user names, and scale them to the size a model sees."""

import argparse
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

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

# Files that are open for reading, too.
ImageInput = str | os.PathLike | np.ndarray | Tensor | Image.Image | IO[bytes]
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

    A file that is named may have any suffix. A name with ``*``, ``?`` or
    ``[]`` that does not exist is a pattern; ``**`` stands for any folders.
    ``exclude`` is a folder whose files are not taken out of another.
    """
    images: list[ImageInput] = []
    for item in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        if isinstance(item, (str, os.PathLike)):
            for path in _expand(os.fspath(item)):
                images.extend(_list_path(Path(path), exclude))
        elif isinstance(item, (np.ndarray, Tensor, Image.Image)) or hasattr(
                item, 'read'):
            images.append(item)
        else:
            raise TypeError(
                '`inputs` must be a path, an array, a tensor, an image of '
                'Pillow, an open file or a list of them, got '
                f'{type(item).__name__}')
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
    names = output_names([image for image in images if _is_path(image)],
                         root if is_folder else None)
    return [
        names[os.fspath(image)] if _is_path(image) else f'image_{index:05d}'
        for index, image in enumerate(images)
    ]


def read_image(image: ImageInput, channel_order: str = 'bgr') -> np.ndarray:
    """Read an image as RGB, (H, W, 3) uint8.

    16-bit grey is scaled from 0..65535 to 0..255, transparency is blended with
    white, EXIF's rotation is applied, and an animation's first frame is taken.

    Args:
        image: A path, an open file, an image of Pillow, an array (H, W),
            (H, W, 3) or (H, W, 4) uint8, or a tensor (1, 3 or 4, H, W) uint8.
        channel_order (str): Of arrays and tensors, 'bgr' or 'rgb', with
            opacity last.
    """
    if channel_order not in ('bgr', 'rgb'):
        raise ValueError("`channel_order` must be 'bgr' or 'rgb', got "
                         f'{channel_order!r}')
    if isinstance(image, Tensor):
        image = image.detach().cpu().numpy()
        if image.ndim == 3:
            image = image.transpose(1, 2, 0)
    if isinstance(image, np.ndarray):
        return _from_array(image, channel_order)
    if isinstance(image, Image.Image):
        return np.array(_to_rgb(image))
    name = f'image {getattr(image, "name", "in an open file")!r}'
    if _is_path(image):
        path = Path(image)
        name = f'image {str(path)!r}'
        if not path.is_file():
            raise FileNotFoundError(f'{name} does not exist')
    try:
        content = path.read_bytes() if _is_path(image) else image.read()
        return np.array(_to_rgb(load_upright(content)))
    except Exception as error:  # Of damaged files, Pillow raises any.
        reason = str(error) or type(error).__name__
        raise ValueError(f'{name} cannot be read: {reason}; replace or remove '
                         'it') from error


def _is_path(image: ImageInput) -> bool:
    return isinstance(image, (str, os.PathLike))


def _expand(path: str) -> list[str]:
    """The files of a pattern; of another name, itself."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise FileNotFoundError(f'no file fits the pattern {path!r}')
    return found


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


def _from_array(image: np.ndarray, channel_order: str) -> np.ndarray:
    if image.dtype != np.uint8:
        raise TypeError('an image array must be uint8 with values in 0..255, '
                        f'got dtype {image.dtype}')
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or image.size == 0:
        raise ValueError('an image array must have shape (H, W), (H, W, 3) or '
                         f'(H, W, 4), got {image.shape}')
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    rgb = image[..., :3]
    if channel_order == 'bgr':
        rgb = rgb[..., ::-1]
    if image.shape[2] == 4:
        return np.array(_to_rgb(Image.fromarray(
            np.concatenate([rgb, image[..., 3:]], axis=2))))
    return np.ascontiguousarray(rgb)


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
