"""A classifier of pixels by 1 x 1 convolutions, on segment tokens.

CAST is fine-tuned on VOC with features scattered to pixels, then 1 x 1
convolution, BN, ReLU, 1 x 1 convolution. These treat pixels independently, so
they are computed once per segment instead.

Legend: B images, N segments, C channels, K classes.
"""

import torch
from mmseg.models.decode_heads import FCNHead
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmhierseg._base.checks import check_number
from mmhierseg.ops import segment_sizes
from mmhierseg.ops.checks import is_exporting, wide
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

from ..utils import keep_one_key, normalise_rows, weighted_batch_norm
from .segment_decode import SegmentDecodeMixin


@MODELS.register_module()
class SegmentFCNHead(SegmentDecodeMixin, FCNHead):
    """MMSegmentation's ``FCNHead`` of 1 x 1 convolutions, on segments.

    In eval mode it equals, with the same weights,
    ``FCNHead(kernel_size=1, concat_input=False)`` on the fused map of the
    backbone at full resolution (``out_type='featmap'``,
    ``out_indices=('fused', )``, ``featmap_stride=1``), but does not need its
    (C, H, W) features, 400 MB an image for CAST-S at 512 x 512.

    In training, each segment counts once in BN's statistics, not once per
    pixel; superpixels are of about the same size, so the difference is small.
    Empty segments are left out; a single row is normalised by the running
    statistics. With ``train_stride``, training is equivalent to the
    ``FCNHead`` on the map at that stride: BN counts pixels, and logits are
    interpolated bilinearly to the ground truth. CAST's authors use 2, the
    resolution of their superpixels. Features of pixels are still not
    computed, and pixels without a segment do not count.

    Args:
        in_channels (int): Channels C of the tokens.
        channels (int): Channels between the convolutions.
        num_classes (int): Number of classes K.
        num_convs (int): Convolutions with norm and ReLU before the classifier.
            Defaults to 1.
        dropout_ratio (float): Dropout of channels before the classifier.
            Defaults to 0.
        norm_cfg (dict, optional): Norm layer. Defaults to None:
            dict(type='BN').
        train_stride (int, optional): Stride of the map that BN counts in
            training. Defaults to None: each segment counts once.
        **kwargs: Options of :class:`SegmentDecodeMixin` and ``FCNHead``.

    Example:
        >>> head = SegmentFCNHead(8, channels=6, num_classes=3).eval()
        >>> labels = torch.tensor([[[0, 1], [-1, 1]]])
        >>> segments = SegmentTokens(
        ...     torch.zeros(1, 8), torch.randn(1, 2, 8), labels)
        >>> logits = head((segments, ))
        >>> logits.shape, logits[0, :, 1, 0].tolist()
        (torch.Size([1, 3, 2, 2]), [0.0, 0.0, 0.0])
    """

    def __init__(self,
                 in_channels: int,
                 channels: int,
                 num_classes: int,
                 num_convs: int = 1,
                 dropout_ratio: float = 0.,
                 norm_cfg: dict | None = None,
                 train_stride: int | None = None,
                 **kwargs) -> None:
        if train_stride is not None:
            check_number('train_stride', train_stride, 1, whole=True)
        super().__init__(
            num_convs=num_convs,
            kernel_size=1,
            concat_input=False,
            in_channels=in_channels,
            channels=channels,
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg or dict(type='BN'),
            **kwargs)
        self.train_stride = train_stride

    def segment_logits(self, segments: SegmentTokens) -> Tensor:
        """Logits (B, N, K) of segments; zero for empty ones."""
        tokens, empty = segments.tokens, segments.empty
        if empty is None:
            empty = torch.zeros_like(tokens[..., 0], dtype=torch.bool)
        if is_exporting():
            # Rows that are kept cannot be counted.
            rows = self.convs(tokens.flatten(0, 1)[..., None, None])
            rows = self.cls_seg(rows)[..., 0, 0]
            return rows.unflatten(0, tokens.shape[:2]).masked_fill(
                empty[..., None], 0)
        # Convolutions need a row even if all segments are empty.
        kept = ~keep_one_key(empty.view(1, -1)).view_as(empty)
        rows = tokens[kept][..., None, None]
        if self.training and self.num_convs:
            rows = self._convolve(rows, segments.labels, kept)
        else:
            rows = self.convs(rows)
        rows = self.cls_seg(rows)[..., 0, 0]
        logits = rows.new_zeros(*tokens.shape[:2], rows.size(1))
        logits[kept] = rows
        return logits

    def _convolve(self, rows: Tensor, labels: Tensor, kept: Tensor) -> Tensor:
        """Apply ``convs``; with a stride, BN counts the pixels of rows."""
        if self.train_stride:
            sizes = segment_sizes(self._labels_of_loss(labels), kept.size(1))
            sizes = sizes[kept][None]
        for layer in self.convs:
            rows = layer.conv(rows)
            if (self.train_stride and isinstance(layer.norm, _BatchNorm)
                    and layer.norm.training):
                with torch.autocast(rows.device.type, enabled=False):
                    rows = weighted_batch_norm(
                        layer.norm, wide(rows[None, ..., 0, 0]),
                        sizes)[0, ..., None, None]
            else:
                rows = normalise_rows(layer.norm, rows)
            if layer.with_activation:
                rows = layer.activate(rows)
        return rows

    def _labels_of_loss(self, labels: Tensor) -> Tensor:
        step = self.train_stride or 1
        return labels[:, ::step, ::step].contiguous()

    def _counts_suffice(self) -> bool:
        return not self.train_stride and super()._counts_suffice()
