"""SLIC superpixels by scikit-image.

Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel
Methods", TPAMI 2012.
"""

from torch import Tensor

from mmhierseg.registry import SUPERPIXELS

from .base import BaseSuperpixels, check_number, segment_each


@SUPERPIXELS.register_module()
class SLIC(BaseSuperpixels):
    """SLIC of scikit-image: connected segments, on the CPU, image by image.

    The number of segments is only roughly the requested one (about 126 for
    196 on photographs). :class:`TorchSLIC` is exact and faster.

    Args:
        segment_size (float, optional): See :class:`BaseSuperpixels`.
        num_segments (int, optional): See there.
        compactness (float): Weight of the distance in the image against that
            in colour, above 0. scikit-image first stretches each image to the
            full range of intensities. Defaults to 10.
        num_iterations (int): Iterations of k-means. Defaults to 10.
        sigma (float): Standard deviation in pixels of the Gaussian that
            smooths the image first; 0 = no smoothing. Defaults to 0.
        **kwargs: Further options of :class:`BaseSuperpixels`.

    Raises:
        ValueError, TypeError: If an option is out of range or no number.
    """

    def __init__(self,
                 segment_size: float | None = None,
                 num_segments: int | None = None,
                 compactness: float = 10.,
                 num_iterations: int = 10,
                 sigma: float = 0.,
                 **kwargs) -> None:
        super().__init__(segment_size, num_segments, **kwargs)
        check_number('compactness', compactness, minimum=1e-6)
        check_number('num_iterations', num_iterations, minimum=1, whole=True)
        check_number('sigma', sigma, minimum=0)
        self.compactness = compactness
        self.num_iterations = num_iterations
        self.sigma = sigma

    def _segment(self, images: Tensor, num_segments: int) -> Tensor:
        from skimage.segmentation import slic
        return segment_each(
            images, lambda rgb: slic(
                rgb,
                n_segments=num_segments,
                compactness=self.compactness,
                max_num_iter=self.num_iterations,
                sigma=self.sigma,
                start_label=0,
                channel_axis=-1))
