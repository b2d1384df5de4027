"""Data preprocessors of segmentors, which may be trained on views."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models import SegDataPreProcessor
from torch import Tensor

from mmhierseg.registry import MODELS

from .mixin import Images, SuperpixelMixin

#: A batch of each view: a tensor (B, C, H, W), or B tensors (C, H, W).
Views = Sequence[Tensor | Sequence[Tensor]]


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
            TypeError: If ``inputs`` are not tensors.
            ValueError: If views do not fit each other, have no segment map,
                or come in testing.
        """
        inputs = data['inputs']
        if _is_views(inputs):
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

    def _join_views(self, views: Views, data_samples: Any) -> dict[str, Any]:
        views = _stack_views(self.cast_data(views))
        images, maps = SuperpixelMixin._take_segments(
            self, torch.cat(views))
        # As in the base class, which requires ground truth in training.
        if self._channel_conversion:
            images = images.flip(1)
        images = images.float()
        if self._enable_normalize:
            images = (images - self.mean) / self.std
        count = len(views[0])
        if data_samples is not None:
            if len(data_samples) != count:
                raise ValueError(
                    '`data_samples` must have one entry for each of the '
                    f'{count} images, got {len(data_samples)}')
            data_samples = list(data_samples) * len(views)
        return dict(
            inputs=self._add_segments(images, maps, images),
            data_samples=data_samples,
            image_index=torch.arange(
                count, device=images.device).repeat(len(views)))


def _is_views(inputs: Any) -> bool:
    """Whether there is an axis of views before the axis of images."""
    if isinstance(inputs, Tensor) or not isinstance(inputs, Sequence):
        return False
    return bool(inputs) and all(
        view.dim() == 4 if isinstance(view, Tensor) else isinstance(
            view, Sequence) for view in inputs)


def _stack_views(views: Views) -> list[Tensor]:
    """Views as tensors (B, C, H, W) of one shape."""
    shapes = {
        tuple(image.shape)
        for view in views for image in view if isinstance(image, Tensor)
    }
    counts = {len(view) for view in views}
    if len(shapes) != 1 or len(counts) != 1:
        raise ValueError(
            'all views of all images must have the same shape, and each view '
            f'the same number of images, got shapes {sorted(shapes)} and '
            f'{sorted(counts)} images: end the transforms of MultiView with '
            'a crop and padding to one size')
    return [
        view if isinstance(view, Tensor) else torch.stack(list(view))
        for view in views
    ]
