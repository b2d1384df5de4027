"""Hierarchies of any backbone, by k-means on its features.

The baseline of CAST (Ke et al., ICLR 2024, arXiv 2210.00314) on PartImageNet,
with a vision transformer as backbone.

Legend: B images, C channels, H x W pixels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.ops import kmeans_hierarchy, sum_by_label
from mmhierseg.ops.checks import check_at_least_1
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from .embedders import SegmentEmbeddings, whole_patches


@MODELS.register_module()
class KMeansHierarchy(BaseModule):
    """Groups the pixels of a feature map, then the groups themselves.

    The backbone's last map is resized to the input bilinearly and grouped by
    :func:`~mmhierseg.ops.kmeans_hierarchy`. It has no parameters of its own,
    so it loads any checkpoint of its backbone (``backbone.*``), and is an
    embedder for ``RetrievalSegmentor``.

    Args:
        backbone (dict | nn.Module): Returns feature maps; a vision
            transformer of MMPretrain needs ``out_type='featmap'``.
        num_clusters (Sequence[int]): Segments of the levels, from fine to
            coarse. Defaults to (64, 32, 16, 8).
        num_iterations (int): Of k-means. Defaults to 30.
        seed (int): Of the initial clusters. Defaults to 0.
        size_divisor (int): Sides of the backbone's input are made multiples of
            this, see :class:`FeatureMapEmbedder`. Defaults to 1.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 num_clusters: Sequence[int] = (64, 32, 16, 8),
                 num_iterations: int = 30,
                 seed: int = 0,
                 size_divisor: int = 1,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if isinstance(backbone, dict):
            backbone = MODELS.build(backbone)
        self.backbone = backbone
        self.num_clusters = tuple(num_clusters)
        self.num_iterations = num_iterations
        self.seed = seed
        check_at_least_1(size_divisor=size_divisor)
        self.size_divisor = size_divisor

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> SegmentEmbeddings:
        """Prototypes and hierarchy of images (B, 3, H, W).

        A segment map in a fourth channel has no influence.
        """
        size = tuple(inputs.shape[2:])
        features = self.backbone(
            whole_patches(inputs[:, :3], self.size_divisor))[-1]
        features = F.interpolate(
            features.float(), size, mode='bilinear', align_corners=False)
        features = features.flatten(2).transpose(1, 2)
        labels, parents = kmeans_hierarchy(features, self.num_clusters,
                                           self.num_iterations, self.seed)
        sums, sizes = sum_by_label(features, labels, self.num_clusters[0])
        return SegmentEmbeddings(
            F.normalize(sums, dim=2),
            SegmentHierarchy(labels.unflatten(1, size), parents), sizes == 0)

    def forward_hierarchy(self, inputs: Tensor) -> SegmentEmbeddings:
        """Same as :meth:`forward`; the name of CAST's method."""
        return self(inputs)
