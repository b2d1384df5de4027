"""HSG: learns to group pixels without labels, and is tested by retrieval.

Unsupervised Hierarchical Semantic Segmentation with Multiview Cosegmentation
and Clustering Transformers (Ke et al., CVPR 2022).

Legend: V views, B images, D channels, h x w pixels of the embedding, H x W
pixels of the input.
"""

from typing import Any, Dict, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg.checkpoints.fingerprint import fingerprint
from mmhierseg.ops import sum_by_label
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from ..utils import check_rgbs, split_rgbs
from .level_segments import LevelSegments, check_level, without_padding
from .segment_retriever import SegmentRetriever

__all__ = ['HSG']


@MODELS.register_module()
class HSG(SegmentRetriever):
    """Pre-training and evaluation of HSG in one model.

    Training takes two views of each image with their over-segmentation, from
    :class:`~mmhierseg.models.MultiViewSegDataPreProcessor`, and has the
    losses of :class:`~mmhierseg.models.HSGHead`.

    In validation and testing, k-means groups the pixels of an image, each by
    its embedding brought to the input's size; the over-segmentation is not
    used. These segments take the classes of their nearest neighbours in a
    memory bank, which :class:`~mmhierseg.engine.MemoryBankHook` fills.
    ``pred_hierarchy`` has them and, if the head has groups, the fine and the
    coarse ones. So checkpoints of training are tested as they are, by the
    same config.

    Args:
        backbone (dict | nn.Module): One that gives feature maps.
        neck (dict | nn.Module): What makes embeddings of them,
            :class:`~mmhierseg.models.EmbeddingNeck`.
        head (dict | nn.Module): :class:`~mmhierseg.models.HSGHead`.
        num_classes (int): Number of classes, of the evaluation.
        num_neighbors (int): Number of neighbours. Defaults to 20.
        level (int): Level whose segments are looked up: 0, those of k-means,
            as in the paper; 1 fine, 2 coarse groups. Defaults to 0.
        kmeans_clusters (Tuple[int, int]): (K_h, K_w), grid that the k-means
            of an evaluated image starts from. Defaults to (6, 6).
        kmeans_iterations (int): Of the same. Defaults to 15.
        ignore_index (int): Ground truth that is ignored, and the prediction
            where there is no segment. Defaults to 255.
        data_preprocessor (dict, optional): Data preprocessor. Defaults to
            None.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 backbone: Union[dict, nn.Module],
                 neck: Union[dict, nn.Module],
                 head: Union[dict, nn.Module],
                 num_classes: int,
                 num_neighbors: int = 20,
                 level: int = 0,
                 kmeans_clusters: Tuple[int, int] = (6, 6),
                 kmeans_iterations: int = 15,
                 ignore_index: int = 255,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(num_classes, num_neighbors, level, ignore_index,
                         data_preprocessor, init_cfg)
        if len(kmeans_clusters) != 2 or min(kmeans_clusters) < 1:
            raise ValueError('`kmeans_clusters` must be two numbers of at '
                             f'least 1, (K_h, K_w), got {kmeans_clusters}')
        if kmeans_iterations < 1:
            raise ValueError('`kmeans_iterations` must be at least 1, got '
                             f'{kmeans_iterations}')
        self.backbone, self.neck, self.head = (
            MODELS.build(part) if isinstance(part, dict) else part
            for part in (backbone, neck, head))
        self.kmeans_clusters = tuple(kmeans_clusters)
        self.kmeans_iterations = kmeans_iterations

    def forward(self,
                inputs: Tensor,
                data_samples: Optional[list] = None,
                mode: str = 'tensor',
                image_index: Optional[Tensor] = None) -> Any:
        """What the runner calls.

        Args:
            inputs (Tensor): (V, C, H, W), from the data preprocessor.
            data_samples (list, optional): One per view. Defaults to None.
            mode (str): 'loss', 'predict' or 'tensor'. Defaults to 'tensor'.
            image_index (Tensor, optional): (V,) int64, image of each view;
                for 'loss'. Defaults to None.

        Returns:
            What :meth:`loss`, :meth:`predict` or :meth:`extract_feat` does.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples, image_index)
        return super().forward(inputs, data_samples, mode)

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Pixel embeddings.

        Args:
            inputs (Tensor): (V, 3, H, W) normalised RGB, or (V, 4, H, W) with
                a segment map, which has no influence.

        Returns:
            Tensor: (V, D, h, w), before normalisation.
        """
        check_rgbs(inputs)
        return self.neck(self.backbone(inputs[:, :3].contiguous()))

    def loss(self,
             inputs: Tensor,
             data_samples: Optional[list] = None,
             image_index: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Losses of a batch of views. All processes must call it together.

        Args:
            inputs (Tensor): (V, 4, H, W) normalised RGB and over-segmentation,
                -1 = ignored; by numbers that the views of an image share.
            data_samples (list, optional): Not used. Defaults to None.
            image_index (Tensor): (V,) int64, image of each view; processes
                number theirs as they like.

        Returns:
            Dict[str, Tensor]: See :meth:`HSGHead.loss_from_embeddings`.

        Raises:
            ValueError: If there is no over-segmentation or ``image_index``.
        """
        check_rgbs(inputs)
        if inputs.size(1) != 4 or image_index is None:
            raise ValueError(
                'training needs the over-segmentation as fourth channel of '
                '`inputs`, and `image_index`, the image of each view: '
                'mmhierseg.MultiViewSegDataPreProcessor makes both, of a '
                'pipeline with LoadSegmentMap or GenerateOverSegmentation; '
                f'got {tuple(inputs.shape)} and {image_index}')
        _, segments, _ = split_rgbs(inputs)
        embeddings = self.extract_feat(inputs)
        segments = _nearest(segments, tuple(embeddings.shape[2:]))
        return self.head.loss_from_embeddings(embeddings, segments,
                                              image_index)

    # ------------------------------------------------------------- evaluation

    def bank_meta(self) -> Dict[str, Any]:
        """What a memory bank of this model is of.

        Returns:
            Dict[str, Any]: Settings, and a digest of the weights; banks for
            which they differ are not to be mixed.
        """
        return dict(
            super().bank_meta(),
            kmeans_clusters=list(self.kmeans_clusters),
            kmeans_iterations=self.kmeans_iterations,
            weights=fingerprint(self))

    @torch.no_grad()
    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """Segments by k-means of all pixels, and groups of them.

        Args:
            inputs (Tensor): (B, C, H, W).
            data_samples (Sequence[SegDataSample]): One per image; what its
                meta information says is padding has no segment. Defaults to
                none: nothing is padding.

        Returns:
            LevelSegments: Those of ``level``, and all levels.

        Raises:
            ValueError: If there is no such level, or the network gives NaN
                or infinity.
        """
        embeddings = self.upsampled(inputs)
        inside = without_padding(
            torch.zeros_like(embeddings[:, 0], dtype=torch.int64),
            data_samples)
        hierarchy = self.head.hierarchy_from_embeddings(
            embeddings,
            inside,
            kmeans_clusters=self.kmeans_clusters,
            kmeans_iterations=self.kmeans_iterations)
        return segments_of_pixels(embeddings, hierarchy, self.level)

    def upsampled(self, inputs: Tensor) -> Tensor:
        """Embeddings of all pixels.

        Args:
            inputs (Tensor): (B, C, H, W).

        Returns:
            Tensor: (B, D, H, W) of unit length, float32 or wider.

        Raises:
            ValueError: If the network gives NaN or infinity.
        """
        embeddings = self.extract_feat(inputs)
        if not bool(embeddings.isfinite().all()):
            raise ValueError(
                'the embeddings of the network are not finite: its training '
                'may have diverged (see the losses in its log), or mixed '
                'precision overflows; take an earlier checkpoint, or leave '
                '--amp out')
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        embeddings = F.interpolate(
            embeddings.to(dtype),
            inputs.shape[2:],
            mode='bilinear',
            align_corners=False)
        return F.normalize(embeddings, dim=1)

    def _forward(self,
                 inputs: Tensor,
                 data_samples: Optional[list] = None) -> Tensor:
        return self.extract_feat(inputs)


def segments_of_pixels(embeddings: Tensor, hierarchy: SegmentHierarchy,
                       level: int) -> LevelSegments:
    """Segments of a level, with the means of their pixels' embeddings.

    Args:
        embeddings (Tensor): (B, D, H, W) float, of unit length.
        hierarchy (SegmentHierarchy): Of (B, H, W) pixels.
        level (int): Level; negative ones count from the coarsest.

    Returns:
        LevelSegments: See there.

    Raises:
        ValueError: If there is no such level.
    """
    check_level(level, hierarchy.num_levels)
    maps = hierarchy.label_map(level)
    number = max(int(maps.max()) + 1, 1)
    pixels = embeddings.flatten(2).transpose(1, 2)
    sums, sizes = sum_by_label(pixels, maps.flatten(1), number)
    return LevelSegments(maps, F.normalize(sums, dim=2), sizes > 0, hierarchy)


def _nearest(maps: Tensor, size: Tuple[int, int]) -> Tensor:
    """Label maps by the pixel that each cell begins with, as in `interpolate`.

    Of stride 16 that pixel is the middle of the cell's receptive field.
    """
    rows, columns = (
        torch.arange(new, device=maps.device) * old // new
        for new, old in zip(size, maps.shape[1:]))
    return maps[:, rows[:, None], columns]
