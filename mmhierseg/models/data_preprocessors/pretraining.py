"""Data preprocessors of classifiers and of self-supervised learners."""

from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from torch import Tensor

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
        superpixels (dict, optional): Config of the superpixel method for
            images without a map. Defaults to None: the pipeline makes maps.
        **kwargs: Arguments of ``ClsDataPreprocessor``.
    """


@MODELS.register_module()
class SuperpixelSelfSupDataPreprocessor(SuperpixelMixin,
                                        SelfSupDataPreprocessor):
    """MMPretrain's ``SelfSupDataPreprocessor`` with segment maps.

    Returns ``inputs`` as described in :class:`SuperpixelMixin`, or a list of
    such, one for each view. As its base class, it needs
    ``collate_fn=dict(type='default_collate')`` in the data loader.

    Args:
        superpixels (dict, optional): Config of the superpixel method for
            images without a map. Defaults to None: the pipeline makes maps.
        **kwargs: Arguments of ``SelfSupDataPreprocessor``.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Preprocess (B, C, H, W), or a list of such, one for each view."""
        inputs = data['inputs']
        single = isinstance(inputs, Tensor)
        views = [inputs] if single else inputs
        if not all(isinstance(view, Tensor) and view.dim() == 4
                   for view in views):
            raise ValueError(
                '`inputs` must be a batch (B, C, H, W), or a list of such, '
                'one for each view: set collate_fn='
                "dict(type='default_collate') in the data loader")
        images, maps = zip(*map(self._take_segments, views))
        # Exactly these keys: the base class unpacks the values in order. It
        # is called past the mixin, whose `forward` is for one batch.
        result = SelfSupDataPreprocessor.forward(
            self,
            dict(inputs=list(images), data_samples=data.get('data_samples')),
            training)
        views = list(map(self._add_segments, result['inputs'], maps, images))
        result['inputs'] = views[0] if single else views
        return result
