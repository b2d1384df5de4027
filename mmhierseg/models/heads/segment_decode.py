"""Decode heads on segment tokens: from segments to pixels, and the loss.

A head on segments classifies N segments, not H x W pixels; every pixel takes
the logits of its segment. Features of pixels are never computed, nor, if the
loss is cross entropy, are logits of pixels.

Legend: B images, N segments, C channels, K classes, H x W pixels.
"""

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.models.losses import CrossEntropyLoss
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg.ops import (
    segment_class_counts,
    segment_cross_entropy,
    tokens_to_map,
)
from mmhierseg.structures import SegmentTokens

#: MMSegmentation adds it to denominators, so that 0 / 0 is 0.
EPS = torch.finfo(torch.float32).eps


class SegmentDecodeMixin:
    """Turns a classifier of segments into a decode head.

    It precedes MMSegmentation's ``BaseDecodeHead`` or a subclass among the
    bases of a class that defines ``segment_logits``: logits (B, N, K) of
    segments, any finite value for empty ones.

    Pixels without a segment (padding, gaps of a map) have zero logits for all
    classes; the loss ignores them, as it does those whose ground truth is
    ``ignore_index``.

    With ``loss_on_segments``, cross entropy (``mmseg.CrossEntropyLoss`` with
    softmax, without class weights, averaged) and the logged accuracy are
    computed from the number of pixels of each class in each segment, with
    exactly the same result but without the (B, K, H, W) logits. Other losses,
    and pixel samplers, get those logits as usual.

    Args:
        loss_decode (dict | Sequence[dict], optional): Losses. Defaults to
            None: ``CrossEntropyLoss``, averaged over pixels that are not
            ignored.
        loss_on_segments (bool): Defaults to True.
        **kwargs: Options of the next base class.
    """

    def __init__(self,
                 loss_decode: dict | Sequence[dict] | None = None,
                 loss_on_segments: bool = True,
                 **kwargs) -> None:
        if loss_decode is None:
            loss_decode = dict(
                type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
        super().__init__(loss_decode=loss_decode, **kwargs)
        self.loss_on_segments = loss_on_segments

    def forward(self, inputs: Sequence[SegmentTokens]) -> Tensor:
        """Logits of pixels, (B, K, H, W), at the resolution of segments."""
        segments = self._transform_inputs(inputs)
        return tokens_to_map(
            self.segment_logits(segments), segments.labels, stride=1)

    def loss(self, inputs: Sequence[SegmentTokens],
             batch_data_samples: list[SegDataSample],
             train_cfg: dict) -> dict[str, Tensor]:
        """Losses by name, and ``acc_seg`` in percent.

        UserError if the ground truth has labels beyond the head's classes.
        """
        segments = self._transform_inputs(inputs)
        logits = self.segment_logits(segments)
        target = self._stack_batch_gt(batch_data_samples).squeeze(1)
        same_size = target.shape == segments.labels.shape
        if same_size and self._counts_suffice():
            return self._loss_of_counts(logits, segments, target)
        if same_size:
            target = target.masked_fill(segments.labels < 0,
                                        self.ignore_index)
        pixels = tokens_to_map(
            logits, self._labels_of_loss(segments.labels), stride=1)
        samples = [
            SegDataSample(gt_sem_seg=PixelData(data=classes[None]))
            for classes in target
        ]
        return self.loss_by_feat(pixels, samples)

    def predict_by_feat(self, seg_logits: Tensor,
                        batch_img_metas: list[dict]) -> Tensor:
        """Resize logits to the input; not copied if they have its size."""
        meta = batch_img_metas[0]
        size = meta['img_shape']
        if not isinstance(size, torch.Size):  # a torch.Size is of a window
            size = meta.get('pad_shape', size)
        if tuple(size[:2]) == tuple(seg_logits.shape[2:]):
            return seg_logits
        return super().predict_by_feat(seg_logits, batch_img_metas)

    def _transform_inputs(self,
                          inputs: Sequence[SegmentTokens]) -> SegmentTokens:
        """Segment tokens among the outputs of the backbone."""
        # SegmentTokens is a tuple itself.
        if not isinstance(inputs, SegmentTokens):
            inputs = inputs[self.in_index]
        if not isinstance(inputs, SegmentTokens):
            raise TypeError(
                f'{type(self).__name__} works on segment tokens: give the '
                "backbone out_type='segments' (a feature map, "
                f"out_type='featmap', is for other heads); got "
                f'{type(inputs).__name__}')
        channels = inputs.tokens.size(-1)
        if channels != self.in_channels:
            raise ValueError(
                f'{type(self).__name__} was built for tokens of '
                f'`in_channels` = {self.in_channels}, got {channels}')
        return inputs

    def _labels_of_loss(self, labels: Tensor) -> Tensor:
        """Labels at the resolution at which the loss takes logits."""
        return labels

    def _losses(self) -> Sequence[nn.Module]:
        losses = self.loss_decode
        return losses if isinstance(losses, nn.ModuleList) else [losses]

    def _counts_suffice(self) -> bool:
        """Whether all losses are sums over pixels of log-probabilities."""
        return self.loss_on_segments and self.sampler is None and all(
            type(loss) is CrossEntropyLoss and not loss.use_sigmoid
            and not loss.use_mask and loss.class_weight is None
            and loss.reduction == 'mean' for loss in self._losses())

    def _loss_of_counts(self, logits: Tensor, segments: SegmentTokens,
                        target: Tensor) -> dict[str, Tensor]:
        try:
            counts = segment_class_counts(segments.labels, target,
                                          logits.size(1), logits.size(2),
                                          self.ignore_index)
        except ValueError as error:
            raise UserError(str(error)) from error
        total = segment_cross_entropy(logits, counts)
        num_counted = counts.sum()
        losses: dict[str, Tensor] = {}
        for loss in self._losses():
            # By default MMSegmentation divides by all pixels.
            number = num_counted if loss.avg_non_ignore else target.numel()
            value = loss.loss_weight * total / (number + EPS)
            name = loss.loss_name
            losses[name] = losses[name] + value if name in losses else value
        predicted = logits.detach().argmax(dim=2, keepdim=True)
        correct = counts.gather(2, predicted).sum()
        losses['acc_seg'] = (100 * correct / (num_counted + EPS))[None]
        return losses
