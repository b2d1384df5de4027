"""Base class of the superpixel methods: options, checks, compact labels."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmhierseg._base.checks import check_number
from mmhierseg.ops import compact_labels
from mmhierseg.ops._numba import for_each_image, njit, use_compiled


class BaseSuperpixels(metaclass=ABCMeta):
    """A method that divides images into small segments.

    The result for an image depends only on that image, not on the rest of the
    batch or on random numbers. Float images are first rounded to 256 levels,
    so an image gives the same segments as uint8, as float, and after its
    normalisation has been undone. Subclasses implement :meth:`_segment`.

    Args:
        segment_size (float, optional): Side of the average segment in pixels,
            at least 1: an image is divided into ``H * W // segment_size**2``
            segments, or close to that where the method cannot produce an
            arbitrary number. Defaults to None, which means 16 unless
            ``num_segments`` is given.
        num_segments (int, optional): Number of segments per image, whatever
            its size. Defaults to None.
        half_resolution (bool): Whether to segment the image at half its
            resolution, into the same number of segments (at most one per
            remaining pixel), and upsample the map by nearest neighbour. About
            twice as fast. Defaults to False.
        check_finite (bool): Whether to check float images for NaN and
            infinity, which synchronises with a GPU. Defaults to True.
        inverted (bool): Whether to segment the negative, (256 - v) mod 256 of
            each level v, so that 0 stays 0: a quirk of CAST's fine-tuning with
            Segmenter. Defaults to False.

    Raises:
        ValueError, TypeError: If both ``segment_size`` and ``num_segments``
            are given, or one is out of range or no number.
    """

    def __init__(self,
                 segment_size: float | None = None,
                 num_segments: int | None = None,
                 half_resolution: bool = False,
                 check_finite: bool = True,
                 inverted: bool = False) -> None:
        if segment_size is not None and num_segments is not None:
            raise ValueError(
                f'`segment_size` ({segment_size}) and `num_segments` '
                f'({num_segments}) both set the number of segments of '
                f'{type(self).__name__}: give one of them only')
        if segment_size is not None:
            check_number('segment_size', segment_size, 1)
        elif num_segments is not None:
            check_number('num_segments', num_segments, 1, whole=True)
        else:
            # 196 segments in 224 x 224 pixels.
            segment_size = 16
        self.segment_size = segment_size
        self.num_segments = num_segments
        self.half_resolution = half_resolution
        self.check_finite = check_finite
        self.inverted = inverted

    def segments_for(self, height: int, width: int) -> int:
        """Number of segments requested for an image, 1 to one per pixel."""
        wanted = self.num_segments
        if wanted is None:
            wanted = int(height * width / self.segment_size**2)
        return min(max(wanted, 1), height * width)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Divide each image into segments.

        Args:
            images (Tensor): (B, 3, H, W) uint8 or floating point, RGB,
                0 to 255.

        Returns:
            Tensor: (B, H, W) int64 on the device of ``images``. The labels of
            an image are 0..N-1, every one in use; N may differ between
            images.

        Raises:
            TypeError, ValueError: If ``images`` is no such tensor, or contains
                NaN or infinity.
        """
        check_images(images, self.check_finite)
        batch_size, _, height, width = images.shape
        wanted = self.segments_for(height, width)
        if wanted == 1 or batch_size == 0:
            return images.new_zeros(
                (batch_size, height, width), dtype=torch.int64)
        if images.dtype != torch.uint8:
            images = images.float().round().clamp(0, 255).to(torch.uint8)
        if self.inverted:
            images = -images  # wraps: v * 255 as 8 bits
        if not self.half_resolution:
            return self._segment_compactly(images, wanted)
        halved = halve(images, half_up=True)
        wanted = min(wanted, halved.size(2) * halved.size(3))
        labels = self._segment_compactly(halved, wanted)
        # Faster than `repeat_interleave` or interpolation.
        wide = torch.stack((labels, labels), dim=-1).flatten(2)
        rows = wide[:, :, None].expand(-1, -1, 2, -1).flatten(1, 2)
        return rows[:, :height, :width].contiguous()

    def _segment_compactly(self, images: Tensor, num_segments: int) -> Tensor:
        """:meth:`_segment` with its labels renumbered without gaps."""
        return compact_labels(self._segment(images, num_segments))[0]

    @abstractmethod
    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        """Divide images into about ``num_segments`` (2 to H * W) segments.

        Takes (B, 3, H, W) uint8, RGB, B at least 1, and returns (B, H, W)
        int64, not negative; gaps are allowed.
        """

    def __repr__(self) -> str:
        options = ', '.join(f'{k}={v!r}' for k, v in vars(self).items())
        return f'{type(self).__name__}({options})'


def check_images(images: Tensor, check_finite: bool) -> None:
    """Raise if ``images`` is not a batch of RGB images."""
    if not isinstance(images, Tensor):
        raise TypeError('`images` must be a tensor of shape (B, 3, H, W), '
                        f'got {type(images).__name__}')
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise TypeError('`images` must be uint8 or floating point, 0 to 255, '
                        f'got {images.dtype}')
    if images.dim() != 4 or images.size(1) != 3 or 0 in images.shape[2:]:
        raise ValueError('`images` must have shape (B, 3, H, W) with at least '
                         f'one pixel, got {tuple(images.shape)}; a single '
                         'image needs a batch axis, a grey one its channel '
                         'three times')
    if (check_finite and images.is_floating_point()
            and not images.isfinite().all()):
        raise ValueError('`images` contains NaN or infinity; expected RGB '
                         'values from 0 to 255')


def halve(images: Tensor, half_up: bool = False) -> Tensor:
    """Mean of 2 x 2 blocks of uint8 images; odd sides are padded.

    Halves are rounded to even, or up as by OpenCV's bilinear resizing.
    """
    if use_compiled(images):
        height, width = images.shape[2:]
        result = images.new_empty(
            (*images.shape[:2], (height + 1) // 2, (width + 1) // 2))
        source, found = images.contiguous().numpy(), result.numpy()
        for_each_image(lambda i: _halve_kernel(source[i], half_up, found[i]),
                       len(images))
        return result
    images = images.float()
    odd = images.size(2) % 2, images.size(3) % 2
    if any(odd):
        images = F.pad(images, (0, odd[1], 0, odd[0]), mode='replicate')
    # Adding whole rows is faster than pooling, which goes pixel by pixel.
    images = images[:, :, ::2] + images[:, :, 1::2]
    images = images[..., ::2] + images[..., 1::2]
    if half_up:
        return images.add_(2).mul_(0.25).to(torch.uint8)  # truncates
    return images.mul_(0.25).round_().to(torch.uint8)


@njit  # pragma: no cover
def _halve_kernel(image, half_up, result):
    """The same for an image, (3, H, W)."""
    channels, height, width = image.shape
    for channel in range(channels):
        for row in range(result.shape[1]):
            above = image[channel, 2 * row]
            below = image[channel, min(2 * row + 1, height - 1)]
            target = result[channel, row]
            for column in range(width // 2):
                target[column] = _mean(above, below, 2 * column,
                                       2 * column + 1, half_up)
            if width % 2:
                target[-1] = _mean(above, below, width - 1, width - 1, half_up)


@njit(inline='always')  # pragma: no cover
def _mean(above, below, left, right, half_up):
    total = np.int32(above[left]) + above[right] + below[left] + below[right]
    return (total + 1 + (half_up | total >> 2 & 1)) >> 2


def segment_each(images: Tensor,
                 segment: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Segment (B, 3, H, W) images one by one, as (H, W, 3) arrays."""
    pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    labels = np.stack([segment(rgb) for rgb in pixels])
    return torch.from_numpy(labels).to(images.device, torch.int64)


def must_synchronize(tensor: Tensor) -> bool:
    """Whether reading values waits for a GPU; then no loop does so."""
    return tensor.device.type != 'cpu'


def find(mask: Tensor) -> Tensor:
    """Positions, int64, of True in a mask (n,); reads their number."""
    if must_synchronize(mask):
        return mask.nonzero().view(-1)
    # Several times faster.
    return torch.from_numpy(np.flatnonzero(mask.numpy()))
