"""A vision transformer on superpixels whose tokens are merged by ToMe."""

from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from mmhierseg.models import CAST
from mmhierseg.models.backbones.cast_config import ARCHITECTURES
from mmhierseg.ops import look_up_parents
from mmhierseg.registry import MODELS
from mmhierseg.structures import CASTOutput, SegmentHierarchy
from mmhierseg.superpixels.base import BaseSuperpixels, check_number

from .merging_block import MergingBlock


class _Merged(NamedTuple):
    """What the blocks compute; lists run over levels, from superpixels on."""

    cls_token: Tensor
    labels: Tensor
    tokens: List[Tensor]
    sizes: List[Tensor]
    parents: List[Tensor]


@MODELS.register_module()
class SuperpixelToMe(CAST):
    """CAST with token merging in place of graph pooling.

    Stem, superpixel tokens, positions, blocks, class token and their
    initialisation are CAST's. Each block merges ``num_merged`` tokens into
    others (Bolya et al., ICLR 2023, arXiv 2210.09461), and there are no
    poolings and no parameters beside the blocks'. So the weights fit a
    ``CAST`` with all of its blocks in one stage and ``num_clusters=()``.

    The tokens of a superpixel's segment are its ancestors: merging gives a
    hierarchy, whose levels are the superpixels and what is left after each
    of CAST's stages.

    Args:
        arch (str | dict): As of CAST; ``depths`` says after which blocks
            there is a level. Defaults to 'small': 11 blocks, and levels
            after 3, 6, 9 and 11 of them.
        img_size (int | Tuple[int, int]): As of CAST. Defaults to 224.
        num_merged (int): r, tokens that each block merges into others; at
            most half of them are. Defaults to 16: of 196 superpixels, the
            levels have 148, 100, 52 and 20 segments.
        pos_embed (str): 'sincos' or 'learned'. Defaults to 'sincos'.
        superpixels (dict | BaseSuperpixels, optional): As of CAST.
            Defaults to None.
        mean (Sequence[float]): As of CAST.
        std (Sequence[float]): As of CAST.
        mlp_ratio (float): Width of the MLPs over C. Defaults to 4.
        drop_rate (float): Dropout in the blocks. Defaults to 0.
        drop_path_rate (float): Stochastic depth of the last block; grows
            linearly from 0. Defaults to 0.
        norm_cfg (dict, optional): Norm layer of the stem. Defaults to None:
            dict(type='BN').
        norm_eval (bool): Whether BatchNorm stays in eval mode in training.
            Defaults to False.
        frozen_stages (int): 0 freezes stem, class token and positions, 1
            everything. Defaults to -1.
        init_cfg (dict, optional): Initialisation config.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If an option is unknown or options do not fit each other.
    """

    def __init__(self,
                 arch: Union[str, dict] = 'small',
                 img_size: Union[int, Tuple[int, int]] = 224,
                 num_merged: int = 16,
                 pos_embed: str = 'sincos',
                 superpixels: Union[dict, BaseSuperpixels, None] = None,
                 mean: Sequence[float] = (123.675, 116.28, 103.53),
                 std: Sequence[float] = (58.395, 57.12, 57.375),
                 mlp_ratio: float = 4.,
                 drop_rate: float = 0.,
                 drop_path_rate: float = 0.,
                 norm_cfg: Optional[dict] = None,
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 init_cfg: Optional[dict] = None) -> None:
        check_number('num_merged', num_merged, minimum=0, whole=True)
        # Read by `_make_stages`, which the base class calls.
        self.num_merged = num_merged
        if isinstance(arch, str):
            if arch not in ARCHITECTURES:
                raise ValueError(f'`arch` must be one of '
                                 f'{tuple(ARCHITECTURES)}, got {arch!r}')
            arch = ARCHITECTURES[arch]
        self.depths = tuple(arch['depths'])
        super().__init__(
            dict(arch, depths=(sum(self.depths), )),
            img_size,
            num_clusters=(),
            pos_embed=pos_embed,
            out_type='cls_token',
            superpixels=superpixels,
            mean=mean,
            std=std,
            mlp_ratio=mlp_ratio,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            norm_cfg=norm_cfg,
            norm_eval=norm_eval,
            frozen_stages=frozen_stages,
            init_cfg=init_cfg)

    def forward(self, inputs: Tensor) -> Tuple[Tensor]:
        """Class token of a batch of images.

        Args:
            inputs (Tensor): (B, 4, H, W) normalised RGB and segment map, or
                (B, 3, H, W) normalised RGB.

        Returns:
            Tuple[Tensor]: One (B, C).
        """
        return (self.norm(self._merge(inputs).cls_token), )

    def forward_hierarchy(self, inputs: Tensor) -> CASTOutput:
        """The hierarchy of segments, and the tokens of its levels.

        Args:
            inputs (Tensor): As in :meth:`forward`.

        Returns:
            CASTOutput: With ``centroids``, the tokens of the levels above
            the superpixels, and ``empty``; there is no assignment but the
            parents, so the lists ``tokens``, ``logits`` and ``sampled`` are
            empty.
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
            # Empty tokens go last, where `match_tokens` wants them.
            sizes = sizes.masked_fill(segments.empty, 0)
            order = segments.empty.int().sort(dim=1, stable=True)[1]
            labels = look_up_parents(order.argsort(dim=1), labels)
            tokens = tokens.take_along_dim(order[..., None], dim=1)
            sizes = sizes.gather(1, order)
        cls_token = self.cls_token[:, 0] + self.tokenizer.cls_position
        x = torch.cat([
            cls_token.expand(len(tokens), 1, -1).to(tokens.dtype), tokens
        ], dim=1)
        blocks = iter(self.stages[0])
        levels = _Merged(x, labels, [tokens], [sizes], [])
        for depth in self.depths:
            parents = None
            for _ in range(depth):
                x, sizes, into = next(blocks)(x, sizes)
                parents = into if parents is None else into.gather(1, parents)
            levels.tokens.append(x[:, 1:])
            levels.sizes.append(sizes)
            levels.parents.append(parents)
        return levels._replace(cls_token=x[:, 0])

    def _make_stages(self, mlp_ratio: float, drop_rate: float,
                     drop_path_rate: float, with_cp: bool) -> nn.ModuleList:
        options = self.options
        depth, = options.depths
        step = drop_path_rate / max(depth - 1, 1)
        return nn.ModuleList([
            nn.ModuleList(
                MergingBlock(options.embed_dims, options.num_heads,
                             self.num_merged, mlp_ratio, drop_rate, step * i)
                for i in range(depth))
        ])
