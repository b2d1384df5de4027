"""Segmentation by the nearest neighbours of segments, without tuning.

CAST (Ke et al., ICLR 2024) and HSG (Ke et al., CVPR 2022) test what was
learned without labels so: every segment of a test image takes the class that
most of its k nearest neighbours have among the segments of a training set.

Legend: B images, C channels, H x W pixels.
"""

from typing import Any, Dict, Optional, Sequence, Union

from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg.checkpoints.fingerprint import fingerprint
from mmhierseg.checkpoints.resnet_names import resnet_names
from mmhierseg.registry import MODELS

from ..heads.segment_embedder import SegmentEmbeddings
from ..utils import SegmentKMeans
from .level_segments import LevelSegments, segments_of_level
from .segment_retriever import SegmentRetriever

__all__ = ['RetrievalSegmentor']

#: Parts of pre-trained models and of segmentors that embedders have, too.
_PARTS = ('backbone.', 'neck.')


@MODELS.register_module()
class RetrievalSegmentor(SegmentRetriever):
    """Gives each segment the majority class of its nearest neighbours.

    The neighbours are in a memory bank of the segments of a training set,
    which :class:`~mmhierseg.engine.MemoryBankHook` fills before validation
    and testing. In testing, data samples get ``pred_sem_seg``, for any metric
    of segmentations, and ``pred_hierarchy``, for those of hierarchies.

    It has nothing to train. Checkpoints of MMPretrain's and MMSegmentation's
    models (``backbone.*``, ``neck.*``) load into its embedder as they are; so
    do those of others that hold a ResNet, such as torchvision's and MoCo's.

    Args:
        embedder (dict | nn.Module): What makes segments and their
            embeddings: :class:`~mmhierseg.models.SegmentEmbedder`, CAST and
            the projector of pre-training, or
            :class:`~mmhierseg.models.FeatureMapEmbedder`, the cells of any
            backbone's feature map.
        num_classes (int): Number of classes K.
        num_neighbors (int): Number k of neighbours. Defaults to 20.
        level (int): Level of the hierarchy whose segments are looked up;
            0 is the finest, -1 the coarsest. Defaults to -1.
        kmeans (dict, optional): Makes a level above the embedder's finest,
            in place of its own, by k-means: ``num_clusters``, a number or a
            grid (K_h, K_w) to start from, ``num_iterations`` (15), and
            ``location`` (False), whether positions take part. Defaults to
            None: the embedder's own levels.
        ignore_index (int): Ground truth that is ignored, and the prediction
            where there is no segment. Defaults to 255.
        data_preprocessor (dict, optional): Data preprocessor. Defaults to
            None.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 embedder: Union[dict, nn.Module],
                 num_classes: int,
                 num_neighbors: int = 20,
                 level: int = -1,
                 kmeans: Optional[dict] = None,
                 ignore_index: int = 255,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(num_classes, num_neighbors, level, ignore_index,
                         data_preprocessor, init_cfg)
        if isinstance(embedder, dict):
            embedder = MODELS.build(embedder)
        self.embedder = embedder
        self.kmeans = None if kmeans is None else SegmentKMeans(**kmeans)
        self._register_load_state_dict_pre_hook(_into_embedder)

    def bank_meta(self) -> Dict[str, Any]:
        """What a memory bank of this model is of.

        Returns:
            Dict[str, Any]: Settings, and a digest of the weights; banks for
            which they differ are not to be mixed.
        """
        return dict(
            super().bank_meta(),
            kmeans=None if self.kmeans is None else repr(self.kmeans),
            weights=fingerprint(self.embedder))

    def extract_feat(self, inputs: Tensor) -> SegmentEmbeddings:
        """Segments of the finest level and their embeddings.

        Args:
            inputs (Tensor): (B, C, H, W).

        Returns:
            SegmentEmbeddings: From the embedder.
        """
        return self.embedder(inputs)

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """Not to be called: there is nothing to train."""
        raise NotImplementedError(
            'RetrievalSegmentor tests what was learned before and has no '
            'loss: run it by tools/test.py')

    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """Segments of the embedder, or k-means' groups of them.

        Args:
            inputs (Tensor): (B, C, H, W).
            data_samples (Sequence[SegDataSample]): One per image, see the
                base class. Defaults to none.

        Returns:
            LevelSegments: Those of ``level``, and all levels.

        Raises:
            ValueError: If there is no such level.
        """
        return segments_of_level(
            self.extract_feat(inputs), data_samples, self.level, self.kmeans)

    def _forward(self,
                 inputs: Tensor,
                 data_samples: Optional[list] = None) -> SegmentEmbeddings:
        return self.extract_feat(inputs)


def _into_embedder(state_dict: dict, prefix: str, *_) -> None:
    """Rename what a model of MMPretrain or MMSegmentation calls its parts.

    Where nothing is called so, a ResNet under any other name is the backbone.
    """
    own = [name for name in state_dict if name.startswith(prefix)]
    renamed = {
        name: name[len(prefix):] for name in own
        if name[len(prefix):].startswith(_PARTS)
    }
    if not any(part.startswith('backbone.') for part in renamed.values()) and (
            not any(name.startswith(f'{prefix}embedder.') for name in own)):
        parts = resnet_names(name[len(prefix):] for name in own)
        renamed.update((prefix + name, f'backbone.{part}')
                       for name, part in parts.items())
    for name, part in renamed.items():
        state_dict[f'{prefix}embedder.{part}'] = state_dict.pop(name)
