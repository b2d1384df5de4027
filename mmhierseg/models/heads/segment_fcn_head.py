"""A classifier of pixels by 1 x 1 convolutions, on segment tokens.

CAST is fine-tuned on VOC with features scattered to pixels, then 1 x 1
convolution, BN, ReLU, 1 x 1 convolution. All of it treats each pixel by
itself, so that it may as well be done once for each segment.

Legend: B images, N segments, C channels, K classes.
"""

from typing import Optional, Sequence, Union

import torch
from mmseg.models.decode_heads import FCNHead
from torch import Tensor

from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

from ..utils import keep_one_key
from .segment_decode import SegmentDecodeMixin


@MODELS.register_module()
class SegmentFCNHead(SegmentDecodeMixin, FCNHead):
    """MMSegmentation's ``FCNHead`` of 1 x 1 convolutions, on segments.

    In eval mode it equals, with the same weights,
    ``FCNHead(kernel_size=1, concat_input=False)`` on the fused map of the
    backbone at full resolution (``out_type='featmap'``,
    ``out_indices=('fused', )``, ``featmap_stride=1``), whose (C, H, W)
    features, 400 MB an image for CAST-S at 512 x 512, are not formed here.

    In training, BN's statistics are over segments, each counting once;
    on the map each would count with its pixels. Superpixels are of about the
    same size, so these are about the same. Segments that are empty are not
    counted.

    Args:
        in_channels (int): Channels C of the tokens.
        channels (int): Channels between the convolutions.
        num_classes (int): Number of classes K.
        num_convs (int): Convolutions with norm and ReLU before the one that
            classifies. Defaults to 1.
        dropout_ratio (float): Dropout of channels before the last
            convolution. Defaults to 0.
        norm_cfg (dict, optional): Norm layer. Defaults to None:
            dict(type='BN').
        loss_decode (dict | Sequence[dict], optional): Losses. Defaults to
            None: ``CrossEntropyLoss``, the mean over pixels that are not
            ignored.
        loss_on_segments (bool): Whether to compute cross entropy without
            logits at pixels; see :class:`SegmentDecodeMixin`. Defaults to
            True.
        in_index (int): Which of the backbone's outputs. Defaults to -1.
        ignore_index (int): Ground truth that is ignored. Defaults to 255.
        sampler (dict, optional): MMSegmentation's pixel sampler. Defaults to
            None.
        align_corners (bool): How logits are resized where the ground truth
            has another size. Defaults to False.
        init_cfg (dict, optional): Initialisation config. Defaults to None:
            the last convolution is drawn from N(0, 0.01), as in all heads of
            MMSegmentation.

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
                 norm_cfg: Optional[dict] = None,
                 loss_decode: Union[dict, Sequence[dict], None] = None,
                 loss_on_segments: bool = True,
                 in_index: int = -1,
                 ignore_index: int = 255,
                 sampler: Optional[dict] = None,
                 align_corners: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        if loss_decode is None:
            loss_decode = dict(
                type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
        if init_cfg is None:
            init_cfg = dict(
                type='Normal', std=0.01, override=dict(name='conv_seg'))
        super().__init__(
            num_convs=num_convs,
            kernel_size=1,
            concat_input=False,
            in_channels=in_channels,
            channels=channels,
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg or dict(type='BN'),
            in_index=in_index,
            loss_decode=loss_decode,
            ignore_index=ignore_index,
            sampler=sampler,
            align_corners=align_corners,
            init_cfg=init_cfg)
        self.loss_on_segments = loss_on_segments

    def segment_logits(self, segments: SegmentTokens) -> Tensor:
        """Convolve segments as images of one pixel.

        Args:
            segments (SegmentTokens): From the backbone.

        Returns:
            Tensor: (B, N, K); zero for empty segments.
        """
        tokens, empty = segments.tokens, segments.empty
        if empty is None:
            empty = torch.zeros_like(tokens[..., 0], dtype=torch.bool)
        # A batch of empty images keeps its tokens: there must be some row.
        taking_part = ~keep_one_key(empty.view(1, -1)).view_as(empty)
        rows = tokens[taking_part][..., None, None]
        rows = self.cls_seg(self.convs(rows))[..., 0, 0]
        logits = rows.new_zeros(*tokens.shape[:2], rows.size(1))
        logits[taking_part] = rows
        return logits
