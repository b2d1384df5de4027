"""Segmenter's mask transformer on segment tokens instead of patches.

Strudel et al., "Segmenter: Transformer for Semantic Segmentation" (ICCV 2021),
Sec. 3.2; CAST (Ke et al., ICLR 2024) is fine-tuned with it on ADE20K and
Pascal Context.

Legend: B images, N segments, D channels of the head, K classes.
"""

import torch
import torch.nn.functional as F
from mmengine.model.weight_init import trunc_normal_
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

from ..utils import TransformerBlock, init_timm_vit_
from .segment_decode import SegmentDecodeMixin

# PyTorch's default for LayerNorm; the backbone has 1e-6.
NORM_EPS = 1e-5


@MODELS.register_module()
class SegmentMaskTransformerHead(SegmentDecodeMixin, BaseDecodeHead):
    """A transformer on segment tokens and class embeddings together.

    The logits of a segment are its cosines with the classes, after a
    LayerNorm over the classes. Needs a backbone with ``out_type='segments'``;
    tokens that it marks empty are masked in attention.

    Args:
        in_channels (int): Channels C of the tokens.
        num_classes (int): Number of classes K.
        num_layers (int): Transformer blocks. Defaults to 2.
        num_heads (int, optional): Attention heads. Defaults to None: one per
            64 channels.
        embed_dims (int, optional): Channels D of the head. Defaults to None:
            ``in_channels``.
        mlp_ratio (float): Width of the MLPs over D. Defaults to 4.
        dropout_ratio (float): Dropout of attention weights, projections and
            MLPs. Defaults to 0.1.
        drop_path_rate (float): Stochastic depth of the last block; grows
            linearly from 0. Defaults to 0.
        channels (int, optional): ``embed_dims``, for configs that give it;
            else ValueError. Defaults to None.
        **kwargs: Options of ``SegmentDecodeMixin`` and ``BaseDecodeHead``.

    Example:
        >>> head = SegmentMaskTransformerHead(64, num_classes=5).eval()
        >>> labels = torch.arange(6).view(1, 2, 3)
        >>> segments = SegmentTokens(
        ...     torch.zeros(1, 64), torch.randn(1, 6, 64), labels)
        >>> head((segments, )).shape
        torch.Size([1, 5, 2, 3])
    """

    def __init__(self,
                 in_channels: int,
                 num_classes: int,
                 num_layers: int = 2,
                 num_heads: int | None = None,
                 embed_dims: int | None = None,
                 mlp_ratio: float = 4.,
                 dropout_ratio: float = 0.1,
                 drop_path_rate: float = 0.,
                 channels: int | None = None,
                 init_cfg: dict | None = None,
                 **kwargs) -> None:
        embed_dims = embed_dims or in_channels
        if channels not in (None, embed_dims):
            raise ValueError('`channels` must be `embed_dims` '
                             f'({embed_dims}) or left out, got {channels}')
        super().__init__(
            in_channels=in_channels,
            channels=embed_dims,
            num_classes=num_classes,
            dropout_ratio=0.,
            init_cfg=init_cfg,
            **kwargs)
        # The base class's classifier of pixels.
        del self.conv_seg
        self.dec_proj = nn.Linear(in_channels, embed_dims)
        self.cls_emb = nn.Parameter(torch.zeros(1, num_classes, embed_dims))
        rates = torch.linspace(0, drop_path_rate, num_layers).tolist()
        self.layers = nn.ModuleList(
            TransformerBlock(
                embed_dims,
                num_heads or max(1, embed_dims // 64),
                mlp_ratio,
                drop_rate=dropout_ratio,
                drop_path_rate=rate,
                attn_drop_rate=dropout_ratio,
                norm_eps=NORM_EPS) for rate in rates)
        self.decoder_norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.patch_proj = nn.Linear(embed_dims, embed_dims, bias=False)
        self.classes_proj = nn.Linear(embed_dims, embed_dims, bias=False)
        self.mask_norm = nn.LayerNorm(num_classes, eps=NORM_EPS)
        self.reset_parameters()

    def init_weights(self) -> None:
        """Reinitialise the parameters, then apply ``init_cfg``."""
        if not self.is_init:
            self.reset_parameters()
        super().init_weights()

    def reset_parameters(self) -> None:
        """Reinitialise the parameters as Segmenter does."""
        init_timm_vit_(self)
        trunc_normal_(self.cls_emb, std=.02)
        # The scale of these matters to their rate of change only, since their
        # outputs are compared by cosine.
        for layer in (self.patch_proj, self.classes_proj):
            nn.init.normal_(layer.weight, std=self.channels**-0.5)

    def segment_logits(self, segments: SegmentTokens) -> Tensor:
        """Cosines (B, N, K), normalised over the classes."""
        tokens, empty = segments.tokens, segments.empty
        classes = self.cls_emb.expand(tokens.size(0), -1, -1)
        x = self.dec_proj(tokens)
        x = torch.cat([x, classes.to(x.dtype)], dim=1)
        if empty is not None:
            # The classes follow the segments and are never empty.
            empty = F.pad(empty, (0, self.num_classes))
        for layer in self.layers:
            x = layer(x, empty)
        x = self.decoder_norm(x)
        patches, classes = x.split([tokens.size(1), self.num_classes], dim=1)
        patches, classes = self.patch_proj(patches), self.classes_proj(classes)
        dtype = torch.promote_types(patches.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            masks = F.normalize(patches.to(dtype), dim=2) @ F.normalize(
                classes.to(dtype), dim=2).transpose(1, 2)
            return self.mask_norm(masks.to(self.mask_norm.weight.dtype))
