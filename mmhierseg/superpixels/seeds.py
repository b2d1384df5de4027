"""SEEDS superpixels by OpenCV, with the options that CAST was trained with.

Van den Bergh et al., "SEEDS: Superpixels Extracted via Energy-Driven
Sampling", IJCV 2015. CAST (Ke et al., ICLR 2024) runs it on the L*a*b* image.

OpenCV lays out a grid of at most the requested number of segments, each made
of 2 x 2 blocks whose size is rounded *up* to whole pixels. Images of the usual
size are left to that rule, as in the published implementation. Small images
are padded, because OpenCV makes at least ten superpixels and crashes or hangs
if its grid comes out empty (seen in OpenCV 5.0).
"""

import math

import numpy as np
from torch import Tensor

from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels, check_number, segment_each

#: A segment is 2 x 2 blocks of at least one pixel each.
_MIN_SIDE = 2
#: Images with fewer segments along a side than the first are padded to whole
#: segments, and to at least the second, since OpenCV makes at least ten.
_MIN_SEGMENTS_ALONG_SIDE, _MIN_CANVAS = 8, 4


@SUPERPIXELS.register_module()
class SEEDS(BaseSuperpixels):
    """SEEDS of OpenCV's contributed modules, on the L*a*b* image.

    Runs on the CPU, image by image; made for data pipelines. The defaults are
    those of CAST's MoCo pre-training and linear probing; DeiT and fine-tuning
    use ``histogram_bins=5, num_iterations=15``.

    There is at most one segment per four pixels. The number is exact where
    ``segment_size`` is even and divides both sides; elsewhere, OpenCV makes
    fewer: down to about 60 % for segments of 16 pixels, and fewer for small
    ones (784 of 1393 for 224 x 224 and 6 pixels).

    Args:
        segment_size (float, optional): See :class:`BaseSuperpixels`; here at
            least 2.
        num_segments (int, optional): See there.
        num_iterations (int): Passes over the pixels. Defaults to 20.
        histogram_bins (int): Bins of the colour histograms per channel, from
            1 to 255. Defaults to 15.
        prior (int): Smoothing of the shapes, from 0 (none) to 5.
            Defaults to 2.
        num_levels (int): Levels of blocks that are exchanged before pixels
            are; OpenCV uses at least two. Defaults to 1.
        double_step (bool): Whether to run every block level twice.
            Defaults to False.
        **kwargs: Further options of :class:`BaseSuperpixels`; CAST's
            fine-tuning on VOC uses ``half_resolution``.

    Raises:
        ImportError: If OpenCV lacks its contributed modules.
        ValueError, TypeError: If an option is out of range or no number.
    """

    def __init__(self,
                 segment_size: float | None = None,
                 num_segments: int | None = None,
                 num_iterations: int = 20,
                 histogram_bins: int = 15,
                 prior: int = 2,
                 num_levels: int = 1,
                 double_step: bool = False,
                 **kwargs) -> None:
        super().__init__(segment_size, num_segments, **kwargs)
        if segment_size is not None:
            check_number('segment_size', segment_size, minimum=_MIN_SIDE)
        check_number('num_iterations', num_iterations, 1, whole=True)
        check_number('histogram_bins', histogram_bins, 1, 255, whole=True)
        check_number('prior', prior, 0, 5, whole=True)
        check_number('num_levels', num_levels, 1, whole=True)
        require_opencv_contrib()
        self.num_iterations = num_iterations
        self.histogram_bins = histogram_bins
        self.prior = prior
        self.num_levels = num_levels
        self.double_step = double_step

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        return segment_each(
            images, lambda rgb: self._segment_one(rgb, num_segments))

    def _segment_one(self, rgb: np.ndarray, num_segments: int) -> np.ndarray:
        """Labels (H, W) int32 of one image (H, W, 3) uint8."""
        import cv2
        height, width = rgb.shape[:2]
        num_segments = min(num_segments, height * width // _MIN_SIDE**2)
        if num_segments < 2:
            return np.zeros((height, width), dtype=np.int32)
        rgb, num_segments = _extend_small(rgb, num_segments)
        seeds = cv2.ximgproc.createSuperpixelSEEDS(
            image_width=rgb.shape[1],
            image_height=rgb.shape[0],
            image_channels=3,
            num_superpixels=num_segments,
            num_levels=self.num_levels,
            prior=self.prior,
            histogram_bins=self.histogram_bins,
            double_step=self.double_step)
        seeds.iterate(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), self.num_iterations)
        return seeds.getLabels()[:height, :width]


def _extend_small(rgb: np.ndarray,
                  num_segments: int) -> tuple[np.ndarray, int]:
    """Pad an image of few segments to whole ones; also return their number."""
    height, width = rgb.shape[:2]
    side = math.sqrt(height * width / num_segments)
    if min(height, width) >= _MIN_SEGMENTS_ALONG_SIDE * side:
        return rgb, num_segments
    # The nearest even number, because a segment is 2 x 2 blocks.
    side = max(2 * round(side / 2), _MIN_SIDE)
    rows = max(math.ceil(height / side), _MIN_CANVAS)
    columns = max(math.ceil(width / side), _MIN_CANVAS)
    padding = ((0, rows * side - height), (0, columns * side - width), (0, 0))
    return np.pad(rgb, padding, mode='edge'), rows * columns


def require_opencv_contrib() -> None:
    """Raise ImportError if OpenCV lacks its contributed modules."""
    import cv2
    if not hasattr(getattr(cv2, 'ximgproc', 0), 'createSuperpixelSEEDS'):
        raise ImportError(
            'SEEDS needs OpenCV with its contributed modules, but the '
            f'installed cv2 {cv2.__version__} has no '
            '`cv2.ximgproc.createSuperpixelSEEDS`. Install the contrib build '
            'over it: pip install --force-reinstall --no-deps '
            f'"opencv-contrib-python-headless=={cv2.__version__}.*". '
            'Alternatively, use `TorchSLIC` or `SLIC`')
