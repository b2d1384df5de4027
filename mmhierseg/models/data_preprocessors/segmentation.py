"""Data preprocessors of segmentors, which may be trained on views."""

from collections.abc import Sequence
from typing import Any

import torch
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
        superpixels (dict, optional): Config of the superpixel method for
            images without a map. Defaults to None: the pipeline makes maps.
        **kwargs: Arguments of ``SegDataPreProcessor``.
    """

    def _take_segments(
            self, inputs: Images) -> tuple[list[Tensor], Images | None]:
        images, maps = super()._take_segments(inputs)
        # The base class pads lists only.
        return list(images), maps


@MODELS.register_module()
class MultiViewSegDataPreProcessor(SuperpixelSegDataPreProcessor):
    """Joins views of images in one batch, with the image of each view.

    In training, B images with n views each (MMPretrain's ``MultiView``) give
    V = n B entries: the first views of all images, then the second views, and
    so on.

    * ``inputs``: (V, 4, H, W) float32, normalised image and segment map,
      -1 = no segment;
    * ``data_samples``: a list of V, in the same order, or None;
    * ``image_index``: (V,) int64, 0..B-1: the image that an entry is a view
      of, numbered in each process separately.

    Images without ``MultiView`` are single views, padded as in
    :class:`SuperpixelSegDataPreProcessor`. In testing, images may have no
    segment map: without ``superpixels`` they stay (B, 3, H, W).

    Args:
        kwargs: Arguments of :class:`SuperpixelSegDataPreProcessor`. Views are
            not padded. With ``superpixels``, views of an image have no
            segments in common; maps from the pipeline can.
    """

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Preprocess a batch of views or of single images.

        Args:
            data (dict): ``inputs``: of views, one (B, C, H, W) or list of B
                tensors (C, H, W) per view; of single images, as in the base
                class. ``data_samples``: a list of B, or None for views.
            training (bool): Whether to make a training batch.
                Defaults to False.

        Raises:
            ValueError: If views do not fit each other, have no segment map,
                or come in testing.
        """
        inputs = data['inputs']
        if not isinstance(inputs, Tensor) and not (
                isinstance(inputs[0], Tensor) and inputs[0].dim() == 3):
            if not training:
                raise ValueError(
                    '`inputs` holds several views of each image, which is '
                    'for training: the test pipeline must not have MultiView')
            return self._join_views(inputs, data.get('data_samples'))
        if (not training and self.superpixels is None
                and self._count_channels(inputs) == 3):
            return SegDataPreProcessor.forward(
                self, {**data, 'inputs': list(inputs)}, training)
        result = super().forward(data, training)
        if training:
            batch = result['inputs']
            result['image_index'] = torch.arange(
                len(batch), device=batch.device)
        return result

    def _join_views(self, views: Sequence[Images],
                    data_samples: Any) -> dict[str, Any]:
        counts = {len(view) for view in views}
        images = [image for view in self.cast_data(views) for image in view]
        shapes = {tuple(image.shape) for image in images}
        if len(shapes) != 1 or len(counts) != 1:
            raise ValueError(
                'all views of all images must have the same shape, and each '
                'view the same number of images, got shapes '
                f'{sorted(shapes)} and {sorted(counts)} images: end the '
                'transforms of MultiView with a crop and padding to one size')
        images, maps = SuperpixelMixin._take_segments(
            self, torch.stack(images))
        # As in the base class, which requires ground truth in training.
        if self._channel_conversion:
            images = images.flip(1)
        images = images.float()
        if self._enable_normalize:
            images = (images - self.mean) / self.std
        count, = counts
        if data_samples is not None:
            data_samples = list(data_samples) * len(views)
        return dict(
            inputs=self._add_segments(images, maps, images),
            data_samples=data_samples,
            image_index=torch.arange(
                count, device=images.device).repeat(len(views)))
