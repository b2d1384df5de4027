"""Embeddings of the cells of any network's feature map, for retrieval.

The baselines in the papers' tables have no segments of their own: k-means groups
the cells of their feature maps (see ``RetrievalSegmentor``).

Legend: B images, C channels, h x w cells, H x W pixels.
"""

from typing import Optional, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from .segment_embedder import SegmentEmbeddings


@MODELS.register_module()
class FeatureMapEmbedder(BaseModule):
    """Any backbone, whose feature map's cells are taken for segments.

    Args:
        backbone (dict | nn.Module): Of MMPretrain, MMSegmentation or this
            package, one that gives feature maps; a vision transformer of
            MMPretrain needs ``out_type='featmap'``. In a config it is named
            with its scope, 'mmpretrain.MoCoV3ViT'.
        neck (dict | nn.Module, optional): What takes the backbone's outputs
            and gives feature maps likewise. Defaults to None.
        out_index (int): Which of the maps. Defaults to -1, the last.
        at (str): 'grid', the cells of the map, each of which belongs to the
            pixels that lie in it; or 'pixel', every pixel, with the map
            brought to the size of the input bilinearly, as in HSG, at
            4 C bytes a pixel. Defaults to 'grid'.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``at`` is something else.
    """

    def __init__(self,
                 backbone: Union[dict, nn.Module],
                 neck: Union[dict, nn.Module, None] = None,
                 out_index: int = -1,
                 at: str = 'grid',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if at not in ('grid', 'pixel'):
            raise ValueError(f"`at` must be 'grid' or 'pixel', got {at!r}")
        if isinstance(backbone, dict):
            backbone = MODELS.build(backbone)
        self.backbone = backbone
        self.neck = MODELS.build(neck) if isinstance(neck, dict) else neck
        self.out_index = out_index
        self.at = at

    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Embed the cells of a batch of images.

        Args:
            inputs (Tensor): What the backbone takes, (B, C_in, H, W).

        Returns:
            SegmentEmbeddings: h w cells, numbered in rows, with a hierarchy
            of one level, theirs.

        Raises:
            TypeError: If the backbone gives no feature map.
            ValueError: If there is no map ``out_index``.
        """
        features = self._feature_map(inputs)
        size = tuple(inputs.shape[2:])
        dtype = torch.promote_types(features.dtype, torch.float32)
        features = features.to(dtype)
        if self.at == 'pixel':
            features = F.interpolate(
                features, size, mode='bilinear', align_corners=False)
        labels = _cells(tuple(features.shape[2:]), size, inputs.device)
        embeddings = F.normalize(features.flatten(2).transpose(1, 2), dim=2)
        return SegmentEmbeddings(
            embeddings,
            SegmentHierarchy(
                labels.expand(inputs.size(0), -1, -1).contiguous(), []))

    def _feature_map(self, inputs: Tensor) -> Tensor:
        outputs = self.backbone(inputs)
        if self.neck is not None:
            outputs = self.neck(outputs)
        if isinstance(outputs, Tensor):
            outputs = (outputs, )
        if not -len(outputs) <= self.out_index < len(outputs):
            raise ValueError(
                f'`out_index` must be one of the {len(outputs)} outputs of '
                f'{type(self.backbone).__name__}, got {self.out_index}')
        features = outputs[self.out_index]
        if not isinstance(features, Tensor) or features.dim() != 4:
            got = getattr(features, 'shape', type(features).__name__)
            raise TypeError(
                f'{type(self.backbone).__name__} must give feature maps, '
                "(B, C, h, w): vision transformers by out_type='featmap', "
                f'others without their pooling; got {got}')
        return features


def _cells(grid: tuple, size: tuple, device: torch.device) -> Tensor:
    """(H, W) int64: the cell that the middle of each pixel lies in."""
    rows, columns = (
        (2 * torch.arange(pixels, device=device) + 1) * cells // (2 * pixels)
        for cells, pixels in zip(grid, size))
    return rows[:, None] * grid[1] + columns
