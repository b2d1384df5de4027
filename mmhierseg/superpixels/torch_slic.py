"""SLIC superpixels: whole batches, on the device of the images.

k-means (:mod:`.dense_slic`) groups the pixels of a downsampled image,
:mod:`.connectivity` reduces each segment to one piece, and :mod:`.borders`
refines the borders, from blocks of pixels down to single ones.
"""

import torch
from torch import Tensor

from mmhierseg.ops import compact_labels
from mmhierseg.ops._numba import for_each_image, use_compiled
from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels, check_number, halve
from .borders import largest_block, refine_borders
from .color import rgb_to_lab
from .connectivity import enforce_connectivity
from .dense_slic import MAX_COMPACTNESS, dense_slic
from .empty_segments import fill_empty_segments
from .grid import grid_shape

#: Pixels that an accelerator processes at once; each takes about 150 bytes,
#: and each segment 4 KiB for its histogram and shares. The CPU takes one image
#: at a time, which stays in the cache.
_PIXELS_PER_CHUNK = 2**22


@SUPERPIXELS.register_module()
class TorchSLIC(BaseSuperpixels):
    """SLIC for any device, with borders refined by colour histograms.

    The fast method, for data loaders and data preprocessors. On the CPU it
    runs numba kernels, one image per thread of PyTorch, if numba is installed
    (``pip install mmhierseg[speed]``); otherwise, and on other devices, the
    reference implementation in PyTorch.

    All arithmetic is exact: the segments of an image do not depend on the
    implementation, the device or the rest of the batch. Every segment is
    connected, and their number is exact where cells of ``segment_size`` pixels
    per side tile the image and have at least nine pixels.

    Args:
        segment_size (float, optional): See :class:`BaseSuperpixels`.
        num_segments (int, optional): See there.
        compactness (float): Weight of the distance in the image against that
            in colour, above 0 and up to 100. Defaults to 12.
        num_iterations (int): Iterations of k-means. Defaults to 3, which is
            enough with ``border_passes``; plain SLIC is better with 5 or more.
        connected (bool): Whether each segment keeps only its largest connected
            part and its other pixels go to neighbours. Without it an image has
            hundreds of stray fragments, and ``border_passes`` has no effect.
            Defaults to True.
        border_passes (int): How often blocks of pixels at borders may move to
            a neighbouring segment that has more of their colours, for each
            block size from a quarter of ``segment_size`` (at most 8 pixels)
            down to single pixels. k-means then runs on the means of the
            largest blocks. With 0, or where segments have fewer than 16
            pixels, it is plain SLIC at full resolution, which is worse on
            textures. Defaults to 1.
        **kwargs: Further options of :class:`BaseSuperpixels`.

    Raises:
        ValueError, TypeError: If an option is out of range or no number.
    """

    def __init__(self,
                 segment_size: float | None = None,
                 num_segments: int | None = None,
                 compactness: float = 12.,
                 num_iterations: int = 3,
                 connected: bool = True,
                 border_passes: int = 1,
                 **kwargs) -> None:
        super().__init__(segment_size, num_segments, **kwargs)
        check_number('compactness', compactness, 1e-6, MAX_COMPACTNESS)
        check_number('num_iterations', num_iterations, 1, whole=True)
        check_number('border_passes', border_passes, 0, whole=True)
        self.compactness = compactness
        self.num_iterations = num_iterations
        self.connected = connected
        self.border_passes = border_passes

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        grid = grid_shape(*images.shape[2:], num_segments)
        if use_compiled(images):
            # All steps of an image on one thread, while it is in the cache.
            labels = list(images.split(1))

            def segment(index: int) -> None:
                # Kernels are compiled for each memory layout they meet.
                labels[index] = self._segment_chunk(
                    labels[index].contiguous(), grid)

            for_each_image(segment, len(labels))
            # A copy of one would take 5 % of the time.
            return labels[0] if len(labels) == 1 else torch.cat(labels)
        chunk = 1
        if images.device.type != 'cpu':
            chunk = max(_PIXELS_PER_CHUNK // images[0, 0].numel(), 1)
        # A tenth faster than `no_grad`, but not for graphs.
        fast = not torch.compiler.is_compiling()
        with torch.no_grad(), torch.inference_mode(fast):
            labels = [self._segment_chunk(some, grid)
                      for some in images.split(chunk)]
        # Outside, so that it is an ordinary tensor.
        return torch.cat(labels)

    def _segment_chunk(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        block = 0
        if self.connected and self.border_passes:
            block = largest_block(
                tuple(images.shape[2:]), grid, self.border_passes)
        small = images
        for _ in range(max(int(block), 1).bit_length() - 1):
            small = halve(small)
        labels = dense_slic(
            rgb_to_lab(small), grid, self.compactness, self.num_iterations)
        labels = fill_empty_segments(labels, *grid)
        if not self.connected:
            return labels
        # The pixels of a segment come from 3 x 3 cells.
        height, width = small.shape[2:]
        most_pixels = 9 * -(-height // grid[0]) * -(-width // grid[1])
        number = grid[0] * grid[1]
        labels = enforce_connectivity(labels, number, most_pixels)
        if not block:
            return labels
        return refine_borders(labels, images, number, block,
                              self.border_passes)

    def _segment_compactly(self, images: Tensor, num_segments: int) -> Tensor:
        labels = self._segment(images, num_segments)
        height, width = images.shape[2:]
        rows, columns = grid_shape(height, width, num_segments)
        # All are in use: `fill_empty_segments` needs nine pixels per cell, and
        # cells of an image that is downsampled have at least 16.
        if (height // rows) * (width // columns) >= 9:
            return labels
        return compact_labels(labels, rows * columns)[0]
