"""HSG: learns to group pixels without labels, and is evaluated by retrieval.

Unsupervised Hierarchical Semantic Segmentation with Multiview Cosegmentation
and Clustering Transformers (Ke et al., CVPR 2022).

Legend: V views, B images, D channels, h x w pixels of the embedding, H x W
pixels of the input.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg._base.errors import UserError
from mmhierseg.checkpoints import fingerprint
from mmhierseg.ops import sum_by_label
from mmhierseg.registry import MODELS

from ..heads.segment_groups import kmeans_options
from ..utils import check_rgbs, split_rgbs
from .segment_retriever import (
    LevelSegments,
    SegmentRetriever,
    check_level,
    without_padding,
)


def _geometry(backbone: nn.Module) -> dict[str, dict]:
    """What strides and dilations change, for each convolution by name."""
    keys = ('stride', 'padding', 'dilation')
    return {
        name: {key: getattr(module, key) for key in keys}
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d)
    }


@MODELS.register_module()
class HSG(SegmentRetriever):
    """Pre-training and evaluation of HSG in one model.

    Training takes two views of each image with their over-segmentation, from
    :class:`~mmhierseg.models.MultiViewSegDataPreProcessor`.

    In validation and testing, k-means groups the pixels of an image by their
    embeddings, resized to the input; the over-segmentation is not used. The
    segments are classified as in :class:`SegmentRetriever`.
    ``pred_hierarchy`` contains them and, if the head has groups, the fine and
    the coarse ones. Checkpoints of training are tested with the same config.

    Args:
        backbone (dict | nn.Module): Returns feature maps.
        neck (dict | nn.Module): Computes embeddings of them,
            :class:`~mmhierseg.models.EmbeddingNeck`.
        head (dict | nn.Module): :class:`~mmhierseg.models.HSGHead`.
        level (int): Level whose segments are classified: 0, those of k-means,
            as in the paper; 1 fine, 2 coarse groups. Defaults to 0.
        kmeans_clusters (tuple[int, int]): (K_h, K_w), grid from which k-means
            of an evaluated image starts. Defaults to (6, 6).
        kmeans_iterations (int): Likewise. Defaults to 15.
        test_backbone (dict, optional): Options that replace those of
            ``backbone``, a dict, in evaluation mode: strides and dilations of
            convolutions, nothing that changes weights. Defaults to None.
        **kwargs: See :class:`SegmentRetriever`; ``num_classes`` is required.
    """

    def __init__(self,
                 backbone: dict | nn.Module,
                 neck: dict | nn.Module,
                 head: dict | nn.Module,
                 level: int = 0,
                 kmeans_clusters: tuple[int, int] = (6, 6),
                 kmeans_iterations: int = 15,
                 test_backbone: dict | None = None,
                 **kwargs) -> None:
        super().__init__(level=level, **kwargs)
        self.kmeans = kmeans_options(kmeans_clusters, kmeans_iterations)
        self.backbone, self.neck, self.head = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck, head))
        self.test_backbone = test_backbone
        self._geometry = {}
        if test_backbone:
            if not isinstance(backbone, dict):
                raise TypeError('`test_backbone` needs `backbone` as a dict, '
                                f'got {type(backbone).__name__}')
            with torch.device('meta'):
                evaluated = MODELS.build({**backbone, **test_backbone})
            self._geometry = {True: _geometry(self.backbone),
                              False: _geometry(evaluated)}

    def forward(self,
                inputs: Tensor,
                data_samples: list | None = None,
                mode: str = 'tensor',
                image_index: Tensor | None = None) -> Any:
        """Call :meth:`loss`, :meth:`predict` or :meth:`extract_feat`."""
        if mode == 'loss':
            return self.loss(inputs, data_samples, image_index)
        return super().forward(inputs, data_samples, mode)

    def train(self, mode: bool = True) -> 'HSG':
        """Set the mode, and strides and dilations of the backbone."""
        for name, options in self._geometry.get(mode, {}).items():
            vars(self.backbone.get_submodule(name)).update(options)
        return super().train(mode)

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Pixel embeddings (V, D, h, w), before normalisation.

        A segment map in a fourth channel of ``inputs`` has no influence.
        """
        check_rgbs(inputs)
        return self.neck(self.backbone(inputs[:, :3].contiguous()))

    def loss(self,
             inputs: Tensor,
             data_samples: list | None = None,
             image_index: Tensor | None = None) -> dict[str, Tensor]:
        """Losses of a batch of views. All processes must call it together.

        Args:
            inputs (Tensor): (V, 4, H, W) normalised RGB and over-segmentation,
                with ids that the views of an image share, -1 = ignored.
            data_samples (list, optional): Not used. Defaults to None.
            image_index (Tensor): (V,) int64, image of each view, unique
                within the process.

        Returns:
            dict[str, Tensor]: See :meth:`HSGHead.loss_from_embeddings`.
        """
        check_rgbs(inputs)
        if inputs.size(1) != 4 or image_index is None:
            raise UserError(
                'training needs the over-segmentation as fourth channel of '
                '`inputs`, and `image_index`, the image of each view: use '
                'mmhierseg.MultiViewSegDataPreProcessor and a pipeline with '
                'LoadSegmentMap or GenerateOverSegmentation; got '
                f'{tuple(inputs.shape)} and {image_index}')
        _, segments, _ = split_rgbs(inputs)
        embeddings = self.extract_feat(inputs)
        # The first pixel of each cell, as in `interpolate`; at stride 16 it
        # is the centre of the cell's receptive field.
        rows, columns = (
            torch.arange(new, device=segments.device) * old // new
            for new, old in zip(embeddings.shape[2:], segments.shape[1:]))
        segments = segments[:, rows[:, None], columns]
        return self.head.loss_from_embeddings(embeddings, segments,
                                              image_index)

    def bank_meta(self) -> dict[str, Any]:
        """Settings, and a digest of the weights."""
        return dict(
            super().bank_meta(),
            **self.kmeans,
            test_backbone=repr(self.test_backbone),
            weights=fingerprint(self))

    @torch.no_grad()
    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """K-means segments of all pixels, or groups of them."""
        embeddings = self.extract_feat(inputs)
        if not bool(embeddings.isfinite().all()):
            raise UserError(
                'the embeddings of the network are not finite: its training '
                'may have diverged (see the losses in its log), or mixed '
                'precision overflows; use an earlier checkpoint, or omit '
                '--amp')
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        embeddings = F.interpolate(
            embeddings.to(dtype),
            inputs.shape[2:],
            mode='bilinear',
            align_corners=False)
        embeddings = F.normalize(embeddings, dim=1)
        inside = without_padding(
            torch.zeros_like(embeddings[:, 0], dtype=torch.int64),
            data_samples)
        hierarchy = self.head.hierarchy_from_embeddings(
            embeddings, inside, **self.kmeans)
        check_level(self.level, hierarchy.num_levels)
        maps = hierarchy.label_map(self.level)
        number = max(int(maps.max()) + 1, 1)
        pixels = embeddings.flatten(2).transpose(1, 2)
        sums, sizes = sum_by_label(pixels, maps.flatten(1), number)
        return LevelSegments(maps, F.normalize(sums, dim=2), sizes > 0,
                             hierarchy)
