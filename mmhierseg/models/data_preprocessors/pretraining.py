"""Data preprocessor of classifiers."""

from mmpretrain.models import ClsDataPreprocessor

from mmhierseg.registry import MODELS

from .mixin import SuperpixelMixin


@MODELS.register_module()
class SuperpixelClsDataPreprocessor(SuperpixelMixin, ClsDataPreprocessor):
    """MMPretrain's ``ClsDataPreprocessor`` with a segment map.

    Returns ``inputs`` as described in :class:`SuperpixelMixin`. With
    ``superpixels``, they are computed after batch augmentation. (Maps from
    the pipeline belong to the images before Mixup and CutMix, as in CAST's
    published DeiT training.)

    Args:
        mean (Sequence[Number], optional): Mean of each channel.
        std (Sequence[Number], optional): Standard deviation of each channel.
        superpixels (dict, optional): Config of the superpixel method for
            images without a map. Defaults to None: the pipeline makes maps.
        kwargs: Other arguments of ``ClsDataPreprocessor``.
    """
