"""What decode heads on segment tokens share: the way to pixels, and the loss.

A head on segments classifies N segments, not H x W pixels; every pixel takes
the logits of its segment. No feature of a pixel is ever formed, and where the
loss is cross entropy, no logits of a pixel either.

Legend: B images, N segments, C channels, K classes, H x W pixels.
"""

from typing import Dict, List, Sequence, Union

import torch
from mmengine.structures import PixelData
from mmseg.models.losses import CrossEntropyLoss
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg.ops import (
    segment_class_counts,
    segment_cross_entropy,
    tokens_to_map,
)
from mmhierseg.structures import SegmentTokens

#: What MMSegmentation adds to denominators, so that 0 / 0 is 0.
EPS = torch.finfo(torch.float32).eps


class SegmentDecodeMixin:
    """Makes a decode head of one that classifies segments.

    Goes before MMSegmentation's ``BaseDecodeHead`` or a subclass. A class
    that uses it sets ``loss_on_segments`` and has ``segment_logits``.

    Pixels without a segment (padding, gaps of a map) have zero logits, that
    is to say, all classes alike; the loss ignores them, as it does those
    whose ground truth is ``ignore_index``.

    With ``loss_on_segments``, cross entropy (``mmseg.CrossEntropyLoss`` with
    softmax, without class weights, averaged) and the accuracy that is logged
    are computed from the number of pixels of each class in each segment:
    exactly the same numbers without the (B, K, H, W) logits. Other losses,
    and pixel samplers, get those logits as ever.
    """

    loss_on_segments: bool

    def segment_logits(self, segments: SegmentTokens) -> Tensor:
        """Classify segments; to be given by the head.

        Args:
            segments (SegmentTokens): From the backbone.

        Returns:
            Tensor: (B, N, K); of empty segments whatever is finite.
        """
        raise NotImplementedError

    def forward(
            self, inputs: Sequence[Union[SegmentTokens,
                                         Tensor]]) -> Tensor:
        """Classify pixels.

        Args:
            inputs (Sequence[SegmentTokens]): What the backbone returns.

        Returns:
            Tensor: (B, K, H, W) logits, at the resolution of the segments.

        Raises:
            TypeError: If the backbone gave no segment tokens.
        """
        segments = self._transform_inputs(inputs)
        return tokens_to_map(
            self.segment_logits(segments), segments.labels, stride=1)

    def loss(self, inputs: Sequence[SegmentTokens],
             batch_data_samples: List[SegDataSample],
             train_cfg: dict) -> Dict[str, Tensor]:
        """Losses of a batch.

        Args:
            inputs (Sequence[SegmentTokens]): What the backbone returns.
            batch_data_samples (List[SegDataSample]): With ground truth.
            train_cfg (dict): Of the segmentor.

        Returns:
            Dict[str, Tensor]: Losses by name, and ``acc_seg``, percent.

        Raises:
            TypeError: If the backbone gave no segment tokens.
            ValueError: If the ground truth has classes beyond the head's
                (see :func:`~mmhierseg.ops.segment_class_counts`).
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
        pixels = tokens_to_map(logits, segments.labels, stride=1)
        samples = [
            SegDataSample(gt_sem_seg=PixelData(data=classes[None]))
            for classes in target
        ]
        return self.loss_by_feat(pixels, samples)

    def predict_by_feat(self, seg_logits: Tensor,
                        batch_img_metas: List[dict]) -> Tensor:
        """Bring logits to the size of the input.

        Args:
            seg_logits (Tensor): (B, K, H, W).
            batch_img_metas (list[dict]): Meta information of each image.

        Returns:
            Tensor: The argument itself if it has that size.
        """
        meta = batch_img_metas[0]
        size = meta['img_shape']
        if not isinstance(size, torch.Size):  # that of windows otherwise
            size = meta.get('pad_shape', size)
        if tuple(size[:2]) == tuple(seg_logits.shape[2:]):
            return seg_logits
        return super().predict_by_feat(seg_logits, batch_img_metas)

    def _transform_inputs(
            self, inputs: Sequence[SegmentTokens]) -> SegmentTokens:
        """The one of the backbone's outputs that the head works on."""
        # Being a tuple itself, it might be indexed by mistake.
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

    def _losses(self) -> List[nn.Module]:
        several = isinstance(self.loss_decode, nn.ModuleList)
        return list(self.loss_decode) if several else [self.loss_decode]

    def _counts_suffice(self) -> bool:
        """Whether all losses are sums over pixels of log-probabilities."""
        return self.loss_on_segments and self.sampler is None and all(
            type(loss) is CrossEntropyLoss and not loss.use_sigmoid
            and not loss.use_mask and loss.class_weight is None
            and loss.reduction == 'mean' for loss in self._losses())

    def _loss_of_counts(self, logits: Tensor, segments: SegmentTokens,
                        target: Tensor) -> Dict[str, Tensor]:
        counts = segment_class_counts(segments.labels, target,
                                      logits.size(1), logits.size(2),
                                      self.ignore_index)
        total = segment_cross_entropy(logits, counts)
        num_counted = counts.sum()
        losses: Dict[str, Tensor] = {}
        for loss in self._losses():
            # As in MMSegmentation: a mean over all pixels by default.
            number = num_counted if loss.avg_non_ignore else target.numel()
            value = loss.loss_weight * total / (number + EPS)
            name = loss.loss_name
            losses[name] = losses[name] + value if name in losses else value
        predicted = logits.detach().argmax(dim=2, keepdim=True)
        correct = counts.gather(2, predicted).sum()
        losses['acc_seg'] = (100 * correct / (num_counted + EPS))[None]
        return losses
