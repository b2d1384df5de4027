"""Embeddings of the cells of any network's feature map, for retrieval.

The baselines in the papers' tables have no segments of their own: k-means
groups the cells of their feature maps (see ``RetrievalSegmentor``).

Legend: B images, C channels, h x w cells, H x W pixels.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from .segment_embedder import SegmentEmbeddings


@MODELS.register_module()
class FeatureMapEmbedder(BaseModule):
    """Any backbone, with the cells of its feature map as segments.

    Args:
        backbone (dict | nn.Module): Backbone of MMPretrain, MMSegmentation or
            this package that returns feature maps; a vision transformer of
            MMPretrain needs ``out_type='featmap'``. Configs name it with its
            scope, 'mmpretrain.MoCoV3ViT'.
        neck (dict | nn.Module, optional): Neck that takes the backbone's
            outputs and returns feature maps. Defaults to None.
        out_index (int): Index of the map. Defaults to -1, the last.
        at (str): 'grid', the cells of the map; or 'pixel', every pixel, after
            the map is resized to the input bilinearly, as in HSG, which takes
            4 C bytes a pixel. Defaults to 'grid'.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If ``at`` is something else.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 neck: dict | nn.Module | None = None,
                 out_index: int = -1,
                 at: str = 'grid',
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if at not in ('grid', 'pixel'):
            raise ValueError(f"`at` must be 'grid' or 'pixel', got {at!r}")
        self.backbone, self.neck = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck))
        self.out_index = out_index
        self.at = at

    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Embed the cells of a batch of images.

        Args:
            inputs (Tensor): Input of the backbone, (B, C_in, H, W).

        Returns:
            SegmentEmbeddings: h w cells, numbered row by row, which are the
            only level of the hierarchy.

        Raises:
            TypeError: If the backbone returns no feature map.
            ValueError: If there is no map ``out_index``.
        """
        features = self._feature_map(inputs)
        size = tuple(inputs.shape[2:])
        features = features.to(
            torch.promote_types(features.dtype, torch.float32))
        if self.at == 'pixel':
            features = F.interpolate(
                features, size, mode='bilinear', align_corners=False)
        # Cell that the centre of each pixel lies in.
        rows, columns = (
            (2 * torch.arange(pixels, device=inputs.device) + 1) * cells //
            (2 * pixels) for cells, pixels in zip(features.shape[2:], size))
        labels = rows[:, None] * features.size(3) + columns
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
                f'{type(self.backbone).__name__} must return feature maps, '
                "(B, C, h, w): give vision transformers out_type='featmap', "
                f'others no pooling; got {got}')
        return features
