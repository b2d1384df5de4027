"""Segmentation by the nearest neighbours of an embedder's segments.

Legend: B images, C channels, H x W pixels.
"""

from collections.abc import Sequence
from typing import Any

from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg.checkpoints import fingerprint, resnet_names
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

    See :class:`SegmentRetriever`. There is nothing to train. Checkpoints of
    MMPretrain's and MMSegmentation's models (``backbone.*``, ``neck.*``) load
    into its embedder directly, and so do others that contain a ResNet, such
    as torchvision's and MoCo's.

    Args:
        embedder (dict | nn.Module): Computes segments and their embeddings:
            :class:`~mmhierseg.models.SegmentEmbedder`, CAST and the projector
            of pre-training, or :class:`~mmhierseg.models.FeatureMapEmbedder`,
            the cells of any backbone's feature map.
        num_classes (int): Number of classes K.
        kmeans (dict, optional): Replaces the embedder's levels above the
            finest by one from k-means: ``num_clusters``, a number or an
            initial grid (K_h, K_w), ``num_iterations`` (15), and ``location``
            (False), whether positions take part. Defaults to None.
        **kwargs: See :class:`SegmentRetriever`.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If a number is below 1.
    """

    def __init__(self,
                 embedder: dict | nn.Module,
                 num_classes: int,
                 kmeans: dict | None = None,
                 **kwargs) -> None:
        super().__init__(num_classes, **kwargs)
        if isinstance(embedder, dict):
            embedder = MODELS.build(embedder)
        self.embedder = embedder
        self.kmeans = None if kmeans is None else SegmentKMeans(**kmeans)
        self._register_load_state_dict_pre_hook(_into_embedder)

    def bank_meta(self) -> dict[str, Any]:
        """Settings, and a digest of the embedder's weights."""
        return dict(
            super().bank_meta(),
            kmeans=None if self.kmeans is None else repr(self.kmeans),
            weights=fingerprint(self.embedder))

    def extract_feat(self, inputs: Tensor) -> SegmentEmbeddings:
        """Segments of the finest level and their embeddings."""
        return self.embedder(inputs)

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """Not available: there is nothing to train."""
        raise NotImplementedError(
            'RetrievalSegmentor evaluates what was learned before and has no '
            'loss: run it by tools/test.py')

    def segments(self,
                 inputs: Tensor,
                 data_samples: Sequence[SegDataSample] = ()) -> LevelSegments:
        """Segments of the embedder, or groups of them by k-means."""
        return segments_of_level(
            self.extract_feat(inputs), data_samples, self.level, self.kmeans)


def _into_embedder(state_dict: dict, prefix: str, *_) -> None:
    """Rename the parts of a model of MMPretrain or MMSegmentation.

    If there are none, a ResNet under any other name is the backbone.
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
