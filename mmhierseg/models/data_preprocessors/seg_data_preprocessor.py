"""Data preprocessor of segmentors."""

from mmseg.models import SegDataPreProcessor
from torch import Tensor

from mmhierseg.registry import MODELS

from .mixin import Images, SuperpixelMixin


@MODELS.register_module()
class SuperpixelSegDataPreProcessor(SuperpixelMixin, SegDataPreProcessor):
    """MMSegmentation's ``SegDataPreProcessor`` with a segment map.

    Returns ``inputs`` as described in :class:`SuperpixelMixin`. To use it in
    a config of MMSegmentation, change ``type`` and add ``superpixels``.

    Args:
        mean (Sequence[Number], optional): Mean of each channel.
        std (Sequence[Number], optional): Standard deviation of each channel.
        superpixels (dict, optional): Config of the superpixel method for
            images without a map. Defaults to None: the pipeline makes maps.
        kwargs: Other arguments of ``SegDataPreProcessor``.
    """

    def _take_segments(
            self, inputs: Images) -> tuple[list[Tensor], Images | None]:
        images, maps = super()._take_segments(inputs)
        # The base class pads lists only.
        return list(images), maps
