"""Embeddings of segments for retrieval.

CAST (Ke et al., ICLR 2024) is evaluated before any fine-tuning by the nearest
neighbours of its segments: the fused tokens pass through the projector that
MoCo v3 (Chen et al., ICCV 2021) trained behind their mean. Baselines have no
segments of their own: k-means groups the cells of their feature maps.

Legend: B images, N segments, C channels, D channels of embeddings, h x w
cells, H x W pixels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.ops.checks import check_at_least_1
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy, restore_maps


class SegmentEmbeddings(NamedTuple):
    """Embeddings of a batch of images and the segments they belong to."""

    embeddings: Tensor
    """(B, N, D) float: of every segment of level 0, of unit length; zero for
    an empty one."""
    hierarchy: SegmentHierarchy
    """Superpixels and the segments after each pooling."""
    empty: Tensor | None = None
    """(B, N) bool: segments that do not exist; None = all do."""


def whole_patches(images: Tensor, divisor: int) -> Tensor:
    """Resize (B, C, H, W) images to the nearest multiples of a number."""
    size = [max(round(side / divisor), 1) * divisor
            for side in images.shape[2:]]
    if size == [*images.shape[2:]]:
        return images
    return F.interpolate(images, size, mode='bilinear', align_corners=False)


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
            ``out_type='segments'``; else ValueError.
        neck (dict | nn.Module): The projector, ``mmpretrain.NonLinearNeck``
            with ``with_avg_pool=False``.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 neck: dict | nn.Module,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone, self.neck = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck))
        out_type = getattr(self.backbone, 'out_type', 'segments')
        if out_type != 'segments':
            raise ValueError("`backbone` must have out_type='segments', got "
                             f'{out_type!r}')

    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Embed the segments of (B, 4, H, W) RGBS, or (B, 3, H, W) RGB."""
        output = self.backbone.forward_hierarchy(inputs)
        tokens, empty = output.segments.tokens, output.segments.empty
        if empty is None:
            empty = torch.zeros_like(tokens[..., 0], dtype=torch.bool)
        rows, = self.neck((tokens[~empty], ))
        dtype = torch.promote_types(rows.dtype, torch.float32)
        embeddings = rows.new_zeros(
            *tokens.shape[:2], rows.size(1), dtype=dtype)
        embeddings[~empty] = F.normalize(rows.to(dtype), dim=1)
        return SegmentEmbeddings(embeddings, output.hierarchy,
                                 output.segments.empty)


@MODELS.register_module()
class FeatureMapEmbedder(BaseModule):
    """Any backbone, with the cells of its last feature map as segments.

    Args:
        backbone (dict | nn.Module): Backbone of MMPretrain, MMSegmentation or
            this package that returns feature maps; a vision transformer of
            MMPretrain needs ``out_type='featmap'``. Configs name it with its
            scope, 'mmpretrain.MoCoV3ViT'.
        neck (dict | nn.Module, optional): Neck that takes the backbone's
            outputs and returns feature maps. Defaults to None.
        at (str): 'grid', the cells of the map; or 'pixel', every pixel, after
            bilinear interpolation to the input's size, as in HSG, which takes
            4 C bytes a pixel. Else ValueError. Defaults to 'grid'.
        size_divisor (int): Images are resized, bilinearly, to the nearest
            multiples of this, so that patches of this side are whole. What
            comes out has the size of the input. Defaults to 1: as they are.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 neck: dict | nn.Module | None = None,
                 at: str = 'grid',
                 size_divisor: int = 1,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if at not in ('grid', 'pixel'):
            raise ValueError(f"`at` must be 'grid' or 'pixel', got {at!r}")
        check_at_least_1(size_divisor=size_divisor)
        self.backbone, self.neck = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck))
        self.at, self.size_divisor = at, size_divisor

    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Embed the h w cells of images (B, C_in, H, W), row by row.

        They are the only level of the hierarchy. TypeError if the backbone
        returns no feature map.
        """
        features = self.backbone(whole_patches(inputs, self.size_divisor))
        if self.neck is not None:
            features = self.neck(features)
        if not isinstance(features, Tensor):
            features = features[-1]
        if not isinstance(features, Tensor) or features.dim() != 4:
            got = getattr(features, 'shape', type(features).__name__)
            raise TypeError(
                f'{type(self.backbone).__name__} must return feature maps, '
                "(B, C, h, w): give vision transformers out_type='featmap', "
                f'others no pooling; got {got}')
        size = tuple(inputs.shape[2:])
        features = features.to(
            torch.promote_types(features.dtype, torch.float32))
        if self.at == 'pixel':
            features = F.interpolate(
                features, size, mode='bilinear', align_corners=False)
        embeddings = F.normalize(features.flatten(2).transpose(1, 2), dim=2)
        # Cell that the centre of each pixel lies in.
        cells = torch.arange(embeddings.size(1), device=inputs.device)
        labels = restore_maps(
            cells.view(1, *features.shape[2:]), dict(ori_shape=size))
        return SegmentEmbeddings(
            embeddings,
            SegmentHierarchy(
                labels.expand(inputs.size(0), -1, -1).contiguous(), []))
