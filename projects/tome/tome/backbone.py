"""A vision transformer on superpixels whose tokens are merged by ToMe."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmhierseg.models import CAST
from mmhierseg.models.backbones.cast import ARCHITECTURES
from mmhierseg.ops import look_up_parents
from mmhierseg.registry import MODELS
from mmhierseg.structures import CASTOutput, SegmentHierarchy
from mmhierseg.superpixels.base import check_number

from .merging_block import MergingBlock


class _Merged(NamedTuple):
    """Results of the blocks; one list entry per level, superpixels first."""

    cls_token: Tensor
    labels: Tensor
    tokens: list[Tensor]
    sizes: list[Tensor]
    parents: list[Tensor]


@MODELS.register_module()
class SuperpixelToMe(CAST):
    """CAST with token merging in place of graph pooling.

    Stem, superpixel tokens, positions, blocks, class token and their
    initialisation are CAST's. Each block merges ``num_merged`` tokens into
    others (Bolya et al., ICLR 2023, arXiv 2210.09461); there are no poolings
    and no parameters other than the blocks'. The weights therefore fit a
    ``CAST`` with all of its blocks in one stage and ``num_clusters=()``. The
    levels of the hierarchy are the superpixels and the tokens left after each
    of CAST's stages.

    Args:
        arch (str | dict): As in CAST; there is a level after each stage of
            ``depths``. Defaults to 'small': 11 blocks, and levels after 3, 6,
            9 and 11 of them.
        img_size (int | tuple[int, int]): As in CAST. Defaults to 224.
        num_merged (int): r, number of tokens that each block merges into
            others; at most half of them are merged. Defaults to 16: from 196
            superpixels, the levels have 148, 100, 52 and 20 segments.
        kwargs: ``pos_embed``, ``superpixels``, ``mean``, ``std``,
            ``mlp_ratio``, ``drop_rate``, ``drop_path_rate``, ``norm_cfg``,
            ``norm_eval``, ``frozen_stages`` and ``init_cfg``, as in CAST.
    """

    def __init__(self,
                 arch: str | dict = 'small',
                 img_size: int | tuple[int, int] = 224,
                 num_merged: int = 16,
                 **kwargs) -> None:
        check_number('num_merged', num_merged, minimum=0, whole=True)
        # The base class's constructor calls `_make_block`, which reads it.
        self.num_merged = num_merged
        arch = ARCHITECTURES.get(arch, arch) if isinstance(arch, str) else arch
        if isinstance(arch, dict):
            self.level_depths = tuple(arch['depths'])
            arch = dict(arch, depths=(sum(self.level_depths), ))
        super().__init__(
            arch, img_size, num_clusters=(), out_type='cls_token', **kwargs)

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """One (B, C), the class token; ``inputs`` are those of CAST."""
        return (self.norm(self._merge(inputs).cls_token), )

    def forward_hierarchy(self, inputs: Tensor) -> CASTOutput:
        """The hierarchy; ``centroids`` are tokens of levels after merging.

        The other lists are empty, because parents are the only assignment.
        """
        merged = self._merge(inputs)
        empty = [sizes == 0 for sizes in merged.sizes]
        return CASTOutput(
            cls_token=self.norm(merged.cls_token),
            tokens=[],
            logits=[],
            sampled=[],
            centroids=[
                tokens.masked_fill(mask[..., None], 0)
                for tokens, mask in zip(merged.tokens[1:], empty[1:])
            ],
            empty=empty[:-1],
            hierarchy=SegmentHierarchy(merged.labels, merged.parents))

    def _merge(self, inputs: Tensor) -> _Merged:
        segments = self._tokenize(inputs)
        tokens, labels = segments.tokens, segments.labels
        sizes = torch.ones_like(tokens[..., 0], dtype=torch.float32)
        if segments.empty is not None:
            # `match_tokens` needs empty tokens last.
            sizes = sizes.masked_fill(segments.empty, 0)
            order = segments.empty.int().sort(dim=1, stable=True)[1]
            labels = look_up_parents(order.argsort(dim=1), labels)
            tokens = tokens.take_along_dim(order[..., None], dim=1)
            sizes = sizes.gather(1, order)
        cls_token = self.cls_token[:, 0] + self.tokenizer.pos_embed[:, 0]
        x = torch.cat([
            cls_token.expand(len(tokens), 1, -1).to(tokens.dtype), tokens
        ], dim=1)
        blocks = iter(self.stages[0])
        levels = _Merged(x, labels, [tokens], [sizes], [])
        for depth in self.level_depths:
            parents = None
            for _ in range(depth):
                x, sizes, into = next(blocks)(x, sizes)
                parents = into if parents is None else into.gather(1, parents)
            levels.tokens.append(x[:, 1:])
            levels.sizes.append(sizes)
            levels.parents.append(parents)
        return levels._replace(cls_token=x[:, 0])

    def _make_block(self, **options) -> MergingBlock:
        return MergingBlock(self.embed_dims, self.num_heads, self.num_merged,
                            **options)
