"""SLIC superpixels: whole batches, on the device of the images.

k-means, as :mod:`~mmhierseg.superpixels.dense_slic` does it, groups colours
of an image that is scaled down, and
:mod:`~mmhierseg.superpixels.connectivity` leaves each segment in one piece.
:mod:`~mmhierseg.superpixels.borders` then moves the borders, from blocks of
pixels down to single ones.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels, check_number, halve
from .borders import largest_block, refine_borders
from .color import rgb_to_lab
from .connectivity import enforce_connectivity
from .dense_slic import MAX_COMPACTNESS, dense_slic
from .empty_segments import fill_empty_segments
from .grid import grid_shape

#: Pixels that are processed at once on an accelerator; each takes about
#: 150 bytes, and each segment 4 KiB for its histogram and the shares of it. On
#: the CPU it is one image, which stays in the cache.
_PIXELS_PER_CHUNK = 2**22


@SUPERPIXELS.register_module()
class TorchSLIC(BaseSuperpixels):
    """SLIC for any device, with borders by histograms of colours.

    The fast one, in loaders and in data preprocessors, which have the whole
    batch on the device. On the CPU it is compiled if numba is installed
    (``pip install mmhierseg[speed]``), with one image for each thread of
    PyTorch; in torch otherwise, and on other devices.

    All arithmetic is exact: the segments of an image are the same however
    they are computed, on whatever device, and whatever else is in the batch.
    Every segment is one connected piece, and there are exactly as many as
    asked for where cells of ``segment_size`` pixels a side divide the image
    and have at least nine pixels.

    Args:
        segment_size (float, optional): Side in pixels of the average segment.
            Defaults to None, which means 16 unless ``num_segments`` is given.
        num_segments (int, optional): Number of segments of every image.
            Defaults to None.
        compactness (float): Weight of the distance in the image against that
            in colour, above 0 and up to 100. Defaults to 12.
        num_iterations (int): Iterations of k-means. Defaults to 3, which is
            enough for a start; plain SLIC is better with 5 or more.
        connected (bool): Whether segments keep only their largest connected
            part, the rest going to their neighbours. Without it an image has
            hundreds of stray fragments, and ``border_passes`` does nothing.
            Defaults to True.
        half_resolution (bool): See :class:`BaseSuperpixels`.
            Defaults to False.
        check_finite (bool): See :class:`BaseSuperpixels`. Defaults to True.
        border_passes (int): How often blocks of pixels at the borders of
            segments may move to the segment beside that has more of their
            colours, for each size of blocks from a fourth of
            ``segment_size`` (8 pixels at most) down to single pixels. k-means
            then takes the means of the largest blocks for pixels. With 0, or
            where segments have less than 16 pixels, it is plain SLIC at full
            resolution, which is worse on textures. Defaults to 1.

    Raises:
        ValueError: If an option is out of range.
        TypeError: If an option is not a number.
    """

    def __init__(self,
                 segment_size: Optional[float] = None,
                 num_segments: Optional[int] = None,
                 compactness: float = 12.,
                 num_iterations: int = 3,
                 connected: bool = True,
                 half_resolution: bool = False,
                 check_finite: bool = True,
                 border_passes: int = 1) -> None:
        super().__init__(segment_size, num_segments, half_resolution,
                         check_finite)
        check_number(
            'compactness', compactness, minimum=1e-6, maximum=MAX_COMPACTNESS)
        check_number('num_iterations', num_iterations, minimum=1, whole=True)
        check_number('border_passes', border_passes, minimum=0, whole=True)
        self.compactness = compactness
        self.num_iterations = num_iterations
        self.connected = connected
        self.border_passes = border_passes

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        grid = grid_shape(*images.shape[2:], num_segments)
        if use_compiled(images):
            # Each image all the way, on one thread, while it is in the cache.
            labels = list(images.split(1))

            def segment(index: int) -> None:
                labels[index] = self._segment_chunk(labels[index], grid)

            for_each_image(segment, len(labels))
            return torch.cat(labels)
        chunk = 1
        if images.device.type != 'cpu':
            chunk = max(_PIXELS_PER_CHUNK // images[0, 0].numel(), 1)
        return torch.cat(
            [self._segment_chunk(some, grid) for some in images.split(chunk)])

    def _segment_chunk(self, images: Tensor, grid: Tuple[int, int]) -> Tensor:
        block = 0
        if self.connected and self.border_passes:
            block = largest_block(
                tuple(images.shape[2:]), grid, self.border_passes)
        small = images
        for _ in range(max(block, 1).bit_length() - 1):
            small = halve(small)
        labels = dense_slic(
            rgb_to_lab(small), grid, self.compactness, self.num_iterations)
        labels = fill_empty_segments(labels, *grid)
        if not self.connected:
            return labels
        # Pixels join a centre of the nine cells around.
        height, width = small.shape[2:]
        most_pixels = 9 * -(-height // grid[0]) * -(-width // grid[1])
        number = grid[0] * grid[1]
        labels = enforce_connectivity(labels, number, most_pixels)
        if not block:
            return labels
        return refine_borders(labels, images, number, block,
                              self.border_passes)

    def _num_labels(self, height: int, width: int, num_segments: int) -> int:
        rows, columns = grid_shape(height, width, num_segments)
        return rows * columns

    def _uses_all_labels(self, height: int, width: int,
                         num_segments: int) -> bool:
        # As `fill_empty_segments` says. Cells of an image that is scaled down
        # have 16 pixels at least.
        rows, columns = grid_shape(height, width, num_segments)
        return (height // rows) * (width // columns) >= 9
