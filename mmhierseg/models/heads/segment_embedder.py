"""Embeddings of segments by a projector, for retrieval.

CAST (Ke et al., ICLR 2024) is evaluated before any fine-tuning by the nearest
neighbours of its segments: the fused tokens pass through the projector that
MoCo v3 (Chen et al., ICCV 2021) trained behind their mean.

Legend: B images, N segments, C channels of tokens, D of embeddings.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy, SegmentTokens


class SegmentEmbeddings(NamedTuple):
    """Embeddings of a batch of images and the segments they belong to."""

    embeddings: Tensor
    """(B, N, D) float: of every segment of level 0, of unit length; zero for
    an empty one."""

    hierarchy: SegmentHierarchy
    """Superpixels and the segments after each pooling."""

    empty: Tensor | None = None
    """(B, N) bool: segments that do not exist; None = all do."""


@MODELS.register_module()
class SegmentEmbedder(BaseModule):
    """A backbone of segments followed by MoCo's projector.

    Its parts have the names of MMPretrain's ``MoCoV3``, so it loads the
    checkpoint of pre-training directly, or one of the authors' that
    ``tools/model_converters/cast2mmhierseg.py`` has converted::

        init_cfg=dict(type='Pretrained', checkpoint='epoch_150.pth')

    This loads the trained encoder. For the momentum encoder, give ``init_cfg``
    to the parts instead, with ``prefix='momentum_encoder.module.0.'`` for the
    backbone and ``'momentum_encoder.module.1.'`` for the neck.

    Args:
        backbone (dict | nn.Module): :class:`~mmhierseg.models.CAST` with
            ``out_type='segments'``.
        neck (dict | nn.Module): The projector, ``mmpretrain.NonLinearNeck``
            with ``with_avg_pool=False``.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If the backbone has another ``out_type``.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 neck: dict | nn.Module,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone, self.neck = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck))
        out_type = getattr(
            getattr(self.backbone, 'options', self.backbone), 'out_type',
            'segments')
        if out_type != 'segments':
            raise ValueError("`backbone` must have out_type='segments', got "
                             f'{out_type!r}')

    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Embed the segments of a batch of images.

        Args:
            inputs (Tensor): (B, 4, H, W) normalised RGB and segment map, or
                (B, 3, H, W) normalised RGB.

        Returns:
            SegmentEmbeddings: See there.
        """
        output = self.backbone.forward_hierarchy(inputs)
        return SegmentEmbeddings(
            self.embed(output.segments), output.hierarchy,
            output.segments.empty)

    def embed(self, segments: SegmentTokens) -> Tensor:
        """Project fused tokens: (B, N, D), of unit length, zero where empty.

        The result is float32 or wider.
        """
        tokens, empty = segments.tokens, segments.empty
        if empty is None:
            empty = torch.zeros_like(tokens[..., 0], dtype=torch.bool)
        rows, = self.neck((tokens[~empty], ))
        dtype = torch.promote_types(rows.dtype, torch.float32)
        embeddings = rows.new_zeros(
            *tokens.shape[:2], rows.size(1), dtype=dtype)
        embeddings[~empty] = F.normalize(rows.to(dtype), dim=1)
        return embeddings
