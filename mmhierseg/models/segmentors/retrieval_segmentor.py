"""Segmentation by the nearest neighbours of an embedder's segments.

Legend: B images, C channels, H x W pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmhierseg.checkpoints import fingerprint, resnet_names
from mmhierseg.ops import look_up_parents, segment_prototypes, segment_sizes
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentHierarchy

from ..heads.embedders import SegmentEmbeddings
from ..utils import SegmentKMeans
from .segment_retriever import (
    LevelSegments,
    SegmentRetriever,
    check_level,
    without_padding,
)

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
        kmeans (dict, optional): Replaces the embedder's levels above the
            finest by one from k-means: ``num_clusters``, a number or an
            initial grid (K_h, K_w), ``num_iterations`` (15), and ``location``
            (False), whether positions take part. Defaults to None.
        **kwargs: See :class:`SegmentRetriever`; ``num_classes`` is required.
    """

    def __init__(self,
                 embedder: dict | nn.Module,
                 kmeans: dict | None = None,
                 **kwargs) -> None:
        super().__init__(**kwargs)
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
        output = self.extract_feat(inputs)
        embeddings, parents = output.embeddings, output.hierarchy.parents
        labels = without_padding(output.hierarchy.labels, data_samples)
        sizes = segment_sizes(labels, embeddings.size(1))
        empty = sizes == 0
        if output.empty is not None:
            empty = empty | output.empty
        if self.kmeans is not None:
            parents = [self.kmeans(embeddings, labels, empty)]
        hierarchy = SegmentHierarchy(labels, parents)
        check_level(self.level, hierarchy.num_levels)
        if self.level % hierarchy.num_levels == 0:
            # Includes segments beyond the last one that has a pixel.
            assignment = torch.arange(
                embeddings.size(1), device=labels.device).expand_as(sizes)
        else:
            assignment = hierarchy.assignment(self.level)
        num_segments = max(int(assignment.max()) + 1, 1)
        prototypes = segment_prototypes(embeddings, sizes, assignment,
                                        num_segments, empty)
        return LevelSegments(
            look_up_parents(assignment, labels), prototypes,
            prototypes.abs().amax(dim=2) > 0, hierarchy)


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
