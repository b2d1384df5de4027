"""A linear classifier for each level of a taxonomy."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmhierseg.registry import MODELS

from .losses import hierarchical_losses
from .taxonomy import Taxonomy


@MODELS.register_module()
class HierarchicalClsHead(BaseModule):
    """Linear classifiers on one feature per level, fine levels first.

    For ``CAST(out_type='cls_tokens', out_indices=(1, 2, 3))``, the finest
    level is read off the class token of the second stage, whose segments are
    finest, and the coarsest off the last stage.

    Ground truth is the class, or the score, of the finest level. Those of the
    other levels follow from the taxonomy: as a score is the sum of those of a
    class's children, Mixup and CutMix mix all levels alike.

    Args:
        in_channels (int): Channels of the features, the same for all levels.
        taxonomy (str | dict | Taxonomy): See ``Taxonomy.of``. Labels are the
            positions of its finest classes.
        kl_weight (float): Weight of the KL divergence of all levels together;
            0 trains the classifiers independently. Defaults to 0.5.
        init_cfg (dict, optional): Initialisation config. Defaults to a
            truncated normal distribution of standard deviation 0.02.
    """

    def __init__(
        self,
        in_channels: int,
        taxonomy: str | dict | Taxonomy,
        kl_weight: float = 0.5,
        init_cfg: dict | None = dict(  # noqa: B006
            type='TruncNormal', layer='Linear', std=.02)
    ) -> None:
        super().__init__(init_cfg)
        self.taxonomy = Taxonomy.of(taxonomy)
        self.kl_weight = kl_weight
        self.fcs = nn.ModuleList(
            nn.Linear(in_channels, num) for num in self.taxonomy.num_classes)
        self.register_buffer(
            'paths', torch.from_numpy(self.taxonomy.paths), persistent=False)

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Logits (B, K_l) of each level from (B, C) features of each.

        Raises:
            ValueError: If the number of features is not that of levels.
        """
        if len(feats) != len(self.fcs):
            raise ValueError(
                f'`feats` must have one feature for each level of '
                f'{self.taxonomy.levels}, got {len(feats)}: set `out_indices` '
                "of the backbone, with out_type='cls_tokens'")
        return tuple(fc(feat) for fc, feat in zip(self.fcs, feats))

    def loss(self, feats: Sequence[Tensor], data_samples: list[DataSample],
             **kwargs: Any) -> dict[str, Tensor]:
        """Cross entropy of each level, and the weighted KL divergence.

        Args:
            feats (Sequence[Tensor]): (B, C) of each level.
            data_samples (list[DataSample]): With ``gt_score`` (K_0,), or else
                ``gt_label``, of the finest level.
            kwargs: Not used.
        """
        cross_entropies, divergence = hierarchical_losses(
            self(feats), self.level_scores(self._fine_scores(data_samples)))
        losses = {f'loss_{level}': value for level, value in zip(
            self.taxonomy.levels, cross_entropies)}
        return {**losses, 'loss_kl': self.kl_weight * divergence}

    def level_scores(self, scores: Tensor) -> list[Tensor]:
        """Scores (B, K_l) of all levels from those of the finest, (B, K_0)."""
        return [
            scores.new_zeros(len(scores), num).index_add(1, index, scores)
            for num, index in zip(self.taxonomy.num_classes, self.paths.t())
        ]

    def _fine_scores(self, data_samples: list[DataSample]) -> Tensor:
        number = len(self.paths)
        if 'gt_score' in data_samples[0]:
            scores = torch.stack([x.gt_score for x in data_samples])
        else:
            labels = torch.cat([x.gt_label for x in data_samples])
            scores = F.one_hot(labels.to(self.paths.device), number).float()
        if scores.size(1) != number:
            raise ValueError(
                f'`gt_score` must have the {number} classes of the level '
                f'{self.taxonomy.levels[0]!r}, got {scores.size(1)}: set '
                '`num_classes` of the data preprocessor')
        return scores

    def predict(
        self,
        feats: Sequence[Tensor],
        data_samples: list[DataSample | None] | None = None
    ) -> list[DataSample]:
        """Most likely class of each level, independent of the others.

        Returns:
            list[DataSample]: With ``pred_path`` (L,) int64, classes from fine
            to coarse, and ``pred_label`` and ``pred_score`` of the finest
            level, as MMPretrain's classifiers have them.
        """
        logits = self(feats)
        paths = torch.stack([x.argmax(dim=1) for x in logits], dim=1)
        scores = logits[0].float().softmax(dim=1)
        data_samples = data_samples or [None] * len(paths)
        samples = [sample or DataSample() for sample in data_samples]
        for sample, path, score in zip(samples, paths, scores):
            sample.set_pred_score(score).set_pred_label(path[:1])
            sample.set_field(path, 'pred_path', dtype=Tensor)
        return samples
