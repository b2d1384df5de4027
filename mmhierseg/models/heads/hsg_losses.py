"""The losses of HSG, given the segments and groups of a batch.

HSG (Ke et al., CVPR 2022): contrasts of pixels with segments by the labels of
three levels, and the quality of the grouping at two.

Legend: as in ``segment_groups``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmhierseg.ops import SegmentSequences, joint_labels, knn_adjacency
from mmhierseg.ops.checks import check_at_least_1

from ..losses import CentroidContrastLoss, DMoNLoss, PixelSegmentContrastLoss
from .segment_groups import SegmentGroups, ViewSegments

_WEIGHTS = ('img_sim_weight', 'fine_weight', 'coarse_weight',
            'grouping_weight', 'centroid_weight')


class HSGLosses(nn.Module):
    """L(G_e), L(G_1) + L(G_2), and the quality of the grouping.

    ``contrast_weights`` are those of contrasts by regions, fine and coarse
    groups; other options are those of ``HSGHead``.
    """

    def __init__(self, contrast_weights: Sequence[float],
                 grouping_weight: float, centroid_weight: float,
                 concentration: float, graph_knn: int,
                 graph_within_view: bool,
                 local_means: bool = False) -> None:
        super().__init__()
        for name, weight in zip(_WEIGHTS, (*contrast_weights, grouping_weight,
                                           centroid_weight)):
            if not weight >= 0:
                raise ValueError(f'`{name}` must be at least 0, got {weight}')
        check_at_least_1(graph_knn=graph_knn)
        self.contrast_weights = tuple(contrast_weights)
        self.contrast = PixelSegmentContrastLoss(
            concentration, local_means=local_means)
        self.dmon = DMoNLoss(grouping_weight, local_means)
        self.centroids = CentroidContrastLoss(concentration, centroid_weight,
                                              local_means)
        self.graph_knn = graph_knn
        self.graph_within_view = graph_within_view

    @property
    def trains_groups(self) -> bool:
        """Whether a loss has gradients to soft groups."""
        return bool(self.dmon.loss_weight or self.centroids.loss_weight)

    @property
    def needs_groups(self) -> bool:
        """Whether there is a loss above the segments."""
        return self.trains_groups or any(self.contrast_weights[1:])

    def forward(self,
                views: ViewSegments,
                images: Tensor,
                groups: SegmentGroups | None = None,
                sequences: SegmentSequences | None = None
                ) -> dict[str, Tensor]:
        """Weighted losses by name; ``images`` are those of segments, (N,)."""
        names = [views.regions]
        clustering = views.pixels.new_zeros(())
        if groups is not None:
            clustering = self._clustering(views, groups, sequences)
            names += [
                sequences.unpad(probability.argmax(dim=1))
                for probability in (groups.fine, groups.coarse)
            ]
        contrasts = self._contrasts(
            views, [joint_labels(name, images)[0] for name in names])
        return dict(
            loss_img_sim=contrasts[0],
            loss_hierarchy=contrasts[1] + contrasts[2],
            loss_clustering=clustering)

    def _contrasts(self, views: ViewSegments, labels: list[Tensor]) -> Tensor:
        """(3,) weighted contrasts by regions, fine and coarse groups."""
        losses = views.pixels.new_zeros(3)
        used = [i for i, weight in enumerate(self.contrast_weights) if weight]
        if not used:
            return losses
        values = self.contrast(views.pixels, views.own, views.prototypes,
                               torch.stack([labels[level] for level in used]))
        weights = values.new_tensor(
            [self.contrast_weights[level] for level in used])
        used = torch.tensor(used, device=values.device)
        return losses.index_copy(0, used, weights * values)

    def _clustering(self, views: ViewSegments, groups: SegmentGroups,
                    sequences: SegmentSequences) -> Tensor:
        """Modularity, collapse and contrast of centroids at both levels."""
        # Images without a segment are left out.
        kept = ~groups.padding.all(dim=1)
        padding = groups.padding[kept]
        loss = views.pixels.new_zeros(())
        if self.dmon.loss_weight:
            # Padding beyond the longest sequence has no edges.
            places = slice(sequences.longest)
            adjacency = knn_adjacency(
                sequences.pad(views.prototypes)[:, places], self.graph_knn,
                groups.padding[:, places],
                sequences.views[:, places]
                if self.graph_within_view else None)[kept]
            for probability in (groups.coarse, groups.fine):
                loss = loss + self.dmon(probability[kept].transpose(1, 2),
                                        adjacency, padding)
        if self.centroids.loss_weight:
            for centroids in (groups.coarse_centroids, groups.fine_centroids):
                loss = loss + self.centroids(centroids[kept])
        return loss
