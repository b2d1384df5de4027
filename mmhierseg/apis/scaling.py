"""Scale images to the size a model sees, and label maps back."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = [
    'ImageSize', 'check_image_size', 'parse_image_size', 'resize_labels',
    'scale_image'
]

# 'original', the shorter side, or height and width.
ImageSize = str | int | tuple[int, int]

# With 'original', larger images are scaled down to this many pixels on the
# longer side: attention grows with the square of the superpixels.
MAX_ORIGINAL_SIDE = 1024
# With a shorter side, the longer one is at most so many times as long: a strip
# of a few pixels would otherwise exceed any memory.
MAX_ASPECT_RATIO = 4
# The stride of CAST's stem: less is not even one cell.
MIN_SIDE = 8


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


def parse_image_size(text: str | None) -> ImageSize | None:
    """Parse the option of a command line: '224', '200x300' or 'original'."""
    if text is None or text == 'original':
        return text
    sides = tuple(int(side) for side in text.split('x'))
    if len(sides) > 2:
        raise ValueError('at most two numbers')
    return sides if len(sides) == 2 else sides[0]


def scale_image(image: np.ndarray, img_size: ImageSize) -> np.ndarray:
    """Scale an image (H, W, 3) uint8 to the size that a model sees.

    'original' keeps the size, up to 1024 pixels on the longer side. An int is
    the shorter side; of an image longer than 4:1, a quarter of the longer side
    instead. Both keep the aspect ratio. (h, w) is taken as it is. Bicubic and
    antialiased.
    """
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
    pil = Image.fromarray(image).resize((width, height),
                                        Image.Resampling.BICUBIC)
    return np.array(pil)


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize label maps (B, h, w) to (B, H, W), by nearest pixel centres.

    Example:
        >>> resize_labels(torch.tensor([[[1, 2]]]), (1, 4))
        tensor([[[1, 1, 2, 2]]])
    """
    # In integers, floor((2 i + 1) old / (2 new)): no rounding errors.
    rows, cols = ((2 * torch.arange(new, device=labels.device) + 1) * old //
                  (2 * new) for new, old in zip(size, labels.shape[1:]))
    return labels[:, rows][:, :, cols]
