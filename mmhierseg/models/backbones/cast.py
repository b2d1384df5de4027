"""CAST: a vision transformer on superpixels with graph pooling.

Ke, Mo and Yu, "Learning Hierarchical Image Segmentation For Recognition and
By Recognition", ICLR 2024 (arXiv 2210.00314), Sec. 3.

Legend: B images, N_l segments at level l (0 = superpixels), C channels, H x W
pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from mmengine.utils import to_2tuple
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.rnn import pad_sequence

from mmhierseg.checkpoints.cast import CONVERTER, is_authors_state_dict
from mmhierseg.ops import (
    look_up_parents,
    masked_mean,
    take_tokens,
    tokens_to_map,
)
from mmhierseg.registry import MODELS, SUPERPIXELS
from mmhierseg.structures import CASTOutput, SegmentHierarchy, SegmentTokens
from mmhierseg.superpixels.base import BaseSuperpixels, check_number

from ..necks.graph_pooling import GraphPooling, GraphPoolingOutput
from ..utils import (
    BlockFusion,
    ConvStem,
    TransformerBlock,
    check_rgbs,
    init_mocov3_,
    init_timm_vit_,
    split_rgbs,
)
from .segment_tokenizer import SegmentTokenizer, TokenizedSegments

#: CAST's appendix. ``depths`` are the numbers of blocks of the stages.
ARCHITECTURES = {
    'small': dict(embed_dims=384, depths=(3, 3, 3, 2), num_heads=12),
    'small-deep': dict(embed_dims=384, depths=(6, 3, 3, 3), num_heads=12),
    'base': dict(embed_dims=768, depths=(3, 3, 3, 2), num_heads=12),
    'base-deep': dict(embed_dims=768, depths=(6, 3, 3, 3), num_heads=12),
}
CHOICES = dict(
    pos_embed=('sincos', 'learned'),
    out_type=('cls_token', 'cls_tokens', 'avg_segments', 'segments',
              'featmap'),
    segment_at=('stem', 'pixel'),
    featmap_stride=(32, 16, 8, 4, 2, 1))
#: Compiled ``_compute_outputs``, by class and options.
_COMPILED: dict[tuple, Callable] = {}


@dataclass
class _Stages:
    """Results of the stages; one list entry per stage."""

    labels: Tensor
    cls_tokens: list[Tensor] = field(default_factory=list)
    """(B, C) after the blocks, before pooling."""
    tokens: list[Tensor] = field(default_factory=list)
    """(B, N_l, C) after the blocks, before pooling."""
    empty: list[Tensor | None] = field(default_factory=list)
    """(B, N_l) bool before pooling; None = no token is empty."""
    pooled: list[GraphPoolingOutput] = field(default_factory=list)

    @property
    def cls_token(self) -> Tensor:
        """Class token of the last stage."""
        return self.cls_tokens[-1]


@MODELS.register_module()
class CAST(BaseModule):
    """Vision transformer whose tokens are segments, ever fewer and larger.

    Takes RGBS, (B, 4, H, W) = normalised RGB and a map of superpixels, as the
    data preprocessors of this package make it, or (B, 3, H, W), for which it
    computes superpixels itself. Any H x W; a map with gaps, or a window of a
    larger map, is relabelled per image (with ``mask_empty=True``).

    ``forward`` returns a tuple. Depending on ``out_type``, it holds

    * ``'cls_token'``: one (B, C), the class token after the last norm;
    * ``'cls_tokens'``: one (B, C) per entry of ``out_indices``, the class
      token after the blocks of that stage, before it is pooled; only that of
      the last stage, the one of ``'cls_token'``, passes the last norm;
    * ``'avg_segments'``: one (B, C), the mean of the fused segment tokens;
    * ``'segments'``: one :class:`~mmhierseg.structures.SegmentTokens`, fused;
    * ``'featmap'``: one (B, C, H', W') per entry of ``out_indices``, with
      H' = ceil(H / featmap_stride): a cell is the mean of its pixels'
      segment tokens, pixels without a segment counting as zero.

    *Fused* tokens combine a segment's token with those of its ancestors in
    all stages, following the hard assignments. Parameters that the chosen
    output never uses do not require gradients.

    Args:
        arch (str | dict): 'small' (CAST-S), 'small-deep' (CAST-SD), 'base'
            (CAST-B), 'base-deep', or a dict with ``embed_dims``, ``depths``
            (blocks per stage) and ``num_heads``. Defaults to 'small'.
        img_size (int | tuple[int, int]): Side, or height and width, of the
            images that the positional encodings are made for; they are
            interpolated for other sizes. Defaults to 224.
        num_clusters (Sequence[int]): Segments after each stage; one entry
            less for no pooling after the last. Defaults to (64, 32, 16, 8),
            for 196 superpixels; the papers have 5 times as many for 1024.
        pos_embed (str): 'sincos', fixed, with MoCo v3's initialisation, or
            'learned', with that of DeiT. Defaults to 'sincos'.
        out_type (str): See above. Defaults to 'cls_token'.
        out_indices (Sequence[int | str], optional): Stages (0..3; -1 is the
            last) of 'cls_tokens'; stages and 'fused' of 'featmap'. Defaults
            to None, all stages.
        segment_at (str, optional): Where features are averaged over segments,
            at the 'stem' (its grid samples the segments) or per 'pixel'.
            Defaults to None: 'pixel' for 'segments' and 'featmap', or 'stem'.
        featmap_stride (int): Side in pixels of a cell of 'featmap': 32, 16,
            8, 4, 2 or 1. Defaults to 8.
        mask_empty (bool): Whether tokens without a segment in an image are
            masked, so that its output does not depend on its batch. Quirk:
            the authors' weights need False to be exact. Defaults to True.
        per_image (bool): Whether the images of a batch are processed one by
            one in eval mode, so that outputs are bitwise those of each image
            alone. Otherwise they agree up to rounding, to which about one
            hierarchy in 250 is sensitive. Needs ``mask_empty=True``. Defaults
            to False.
        num_tokens (int, optional): Fixed number of segment tokens, at least
            that of any image's segments. Then no step synchronises with a
            GPU. Defaults to None: the largest number in the batch.
        compile_cfg (dict, optional): Options of ``torch.compile``, to compile
            ``forward`` as one graph, such as dict(mode='reduce-overhead').
            Needs ``num_tokens``. Defaults to None: not compiled.
        superpixels (dict | BaseSuperpixels, optional): Superpixel method for
            inputs without a map. Defaults to None:
            dict(type='TorchSLIC', segment_size=16).
        mean (Sequence[float]): Mean, in 0..255, with which such inputs were
            normalised. Defaults to ImageNet's.
        std (Sequence[float]): Standard deviation, likewise.
        mlp_ratio (float): Width of the MLPs over C. Defaults to 4.
        drop_rate (float): Dropout in the blocks. Defaults to 0.
        drop_path_rate (float): Stochastic depth of the last block; grows
            linearly from 0. Defaults to 0.
        pool_drop_rate (float): Dropout in the poolings. Defaults to 0.1.
        fusion_drop_rate (float): Dropout in the fusion. Defaults to 0.2.
        decay_unused_pooling (bool): Whether the grouping weights of the last
            pooling, which do not affect fused outputs, get zero gradients, so
            that AdamW's weight decay shrinks them as in the authors' code;
            retrieval uses that level. Defaults to False: frozen.
        norm_cfg (dict, optional): Norm layer of stem and fusion. Defaults to
            None: dict(type='BN').
        norm_eval (bool): Whether BatchNorm stays in eval mode in training.
            Defaults to False.
        frozen_stages (int): Number of frozen stages. 0 freezes stem, class
            token and positions, l > 0 also the first l stages, all stages
            also norm and fusion. Defaults to -1: none.
        with_cp (bool): Whether to recompute the blocks in the backward pass
            instead of keeping their activations. Defaults to False.
        init_cfg (dict, optional): Initialisation config, e.g.
            dict(type='Pretrained', checkpoint=..., prefix='backbone.').

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If an option is unknown or options contradict each other.

    Example:
        >>> arch = dict(embed_dims=48, depths=(1, 1, 1, 1), num_heads=4)
        >>> model = CAST(arch, img_size=64, num_clusters=(8, 6, 4, 2)).eval()
        >>> labels = torch.arange(16).view(1, 1, 4, 4).float()
        >>> labels = labels.repeat_interleave(16, 2).repeat_interleave(16, 3)
        >>> inputs = torch.cat([torch.zeros(1, 3, 64, 64), labels], dim=1)
        >>> model(inputs)[0].shape
        torch.Size([1, 48])
        >>> model.forward_hierarchy(inputs).hierarchy
        SegmentHierarchy(num_levels=5, images=1, size=(64, 64), \
table_sizes=[16, 8, 6, 4])
    """

    def __init__(self,
                 arch: str | dict = 'small',
                 img_size: int | tuple[int, int] = 224,
                 num_clusters: Sequence[int] = (64, 32, 16, 8),
                 pos_embed: str = 'sincos',
                 out_type: str = 'cls_token',
                 out_indices: Sequence[int | str] | None = None,
                 segment_at: str | None = None,
                 featmap_stride: int = 8,
                 mask_empty: bool = True,
                 per_image: bool = False,
                 num_tokens: int | None = None,
                 compile_cfg: dict | None = None,
                 superpixels: dict | BaseSuperpixels | None = None,
                 mean: Sequence[float] = (123.675, 116.28, 103.53),
                 std: Sequence[float] = (58.395, 57.12, 57.375),
                 mlp_ratio: float = 4.,
                 drop_rate: float = 0.,
                 drop_path_rate: float = 0.,
                 pool_drop_rate: float = 0.1,
                 fusion_drop_rate: float = 0.2,
                 decay_unused_pooling: bool = False,
                 norm_cfg: dict | None = None,
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 with_cp: bool = False,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.embed_dims, self.depths, self.num_heads = _architecture(arch)
        self.num_stages = len(self.depths)
        self.num_clusters = _integers('num_clusters', num_clusters)
        self.pools_last = len(self.num_clusters) == self.num_stages
        self.pos_embed = pos_embed
        self.out_type = out_type
        self.segment_at = segment_at or (
            'pixel' if out_type in ('segments', 'featmap') else 'stem')
        self.featmap_stride = featmap_stride
        self.mask_empty = mask_empty
        self.per_image = per_image
        self.num_tokens = num_tokens
        self.compile_cfg = compile_cfg
        self.decay_unused_pooling = decay_unused_pooling
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self._check_options(drop_path_rate)
        self._set_outputs(out_indices)
        self._set_superpixels(superpixels, mean, std)

        norm_cfg = norm_cfg or dict(type='BN')
        self.tokenizer = SegmentTokenizer(
            self.embed_dims, _grid_size(img_size), pos_embed, self.segment_at,
            mask_empty, norm_cfg, num_tokens)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims))
        self.stages = self._make_stages(
            drop_path_rate,
            mlp_ratio=mlp_ratio,
            drop_rate=drop_rate,
            with_cp=with_cp)
        self.pools = nn.ModuleList(
            GraphPooling(
                self.embed_dims,
                num,
                self.num_heads,
                mlp_ratio,
                pool_drop_rate,
                mask_empty=mask_empty) for num in self.num_clusters)
        if self.norms_last:
            self.norm = nn.LayerNorm(self.embed_dims, eps=1e-6)
        if self.fuses:
            self.fusion = BlockFusion(self.embed_dims, self.num_stages,
                                      fusion_drop_rate, norm_cfg)
        self.reset_parameters()
        self._freeze_unused()
        self._freeze_stages()
        self._register_load_state_dict_pre_hook(_refuse_authors_weights)

    def _check_options(self, drop_path_rate: float) -> None:
        for name, choices in CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        if self.num_stages - len(self.num_clusters) not in (0, 1):
            raise ValueError(
                f'`num_clusters` must have one entry for each of the '
                f'{self.num_stages} stages, or one less for no pooling after '
                f'the last, got {self.num_clusters}')
        check_number('frozen_stages', self.frozen_stages, -1, self.num_stages)
        check_number('drop_path_rate', drop_path_rate, 0, 1)
        if self.per_image and not self.mask_empty:
            raise ValueError('`per_image` needs `mask_empty=True`: the number '
                             'of tokens depends on the batch')
        if self.num_tokens is not None:
            check_number('num_tokens', self.num_tokens, minimum=1, whole=True)
            if not self.mask_empty:
                raise ValueError('`num_tokens` needs `mask_empty=True`: '
                                 'tokens without a segment would take part')
        elif self.compile_cfg is not None:
            raise ValueError('`compile_cfg` needs `num_tokens`, a number that '
                             "no image's segments exceed")

    def _set_outputs(self, out_indices: Sequence[int | str] | None) -> None:
        """Set which maps are output, and which stages they need."""
        self.out_indices = ()
        if self.out_type in ('featmap', 'cls_tokens'):
            self.out_indices = _out_indices(
                out_indices, self.num_stages, self.out_type == 'featmap')
        self.fuses = (
            self.out_type in ('avg_segments', 'segments')
            or 'fused' in self.out_indices)
        self.last_stage = self.num_stages - 1
        if self.out_indices and not self.fuses:
            self.last_stage = max(self.out_indices)
        self.norms_last = self.out_type == 'cls_token' or (
            self.out_type == 'cls_tokens'
            and self.last_stage == self.num_stages - 1)

    def _set_superpixels(self, superpixels: dict | BaseSuperpixels | None,
                         mean: Sequence[float], std: Sequence[float]) -> None:
        if not isinstance(superpixels, BaseSuperpixels):
            superpixels = SUPERPIXELS.build(
                superpixels or dict(type='TorchSLIC', segment_size=16))
        self.superpixels = superpixels
        for name, values in (('mean', mean), ('std', std)):
            values = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def _make_stages(self, drop_path_rate: float, **options) -> nn.ModuleList:
        num_blocks = sum(self.depths)
        step = drop_path_rate / max(num_blocks - 1, 1)
        blocks = (
            self._make_block(drop_path_rate=step * i, **options)
            for i in range(num_blocks))
        return nn.ModuleList(
            nn.ModuleList(islice(blocks, depth)) for depth in self.depths)

    def _make_block(self, **options) -> nn.Module:
        return TransformerBlock(self.embed_dims, self.num_heads, **options)

    # ----------------------------------------------------- inputs and outputs

    def forward(self, inputs: Tensor) -> tuple[Tensor | SegmentTokens, ...]:
        """Features of a batch of images.

        Args:
            inputs (Tensor): (B, 4, H, W) normalised RGB and segment map, or
                (B, 3, H, W) normalised RGB.

        Returns:
            tuple[Tensor | SegmentTokens, ...]: See the class.

        Raises:
            TypeError: If ``inputs`` is not a floating-point tensor.
            ValueError: If its shape or its labels are wrong.
        """
        if self._is_split(inputs):
            return _join([self.forward(image) for image in _images(inputs)])
        segments = self._split_inputs(inputs)
        if self.compile_cfg is None:
            return self._compute_outputs(*segments)
        # The function is compiled, not a bound method: a copy of this module,
        # such as a momentum encoder, would keep using this one's weights.
        return _compiled(type(self), self.compile_cfg)(self, *segments)

    def _compute_outputs(
            self, image: Tensor, labels: Tensor, num_labels: int | None
    ) -> tuple[Tensor | SegmentTokens, ...]:
        segments = self.tokenizer(image, labels, num_labels)
        stages = self._encode(segments, self.last_stage)
        if self.out_type == 'cls_token':
            return (self.norm(stages.cls_token), )
        if self.out_type == 'cls_tokens':
            return self._class_tokens(stages)
        if self.out_type == 'featmap':
            return self._feature_maps(stages)
        fused = self._fuse(stages)
        if self.out_type == 'segments':
            return (self._segment_tokens(stages, fused), )
        return (masked_mean(fused[:, 1:], self._left_out(stages)), )

    def forward_hierarchy(self, inputs: Tensor) -> CASTOutput:
        """Everything the model computes, including the segment hierarchy.

        Args:
            inputs (Tensor): As in :meth:`forward`.

        Returns:
            CASTOutput: All levels, including the one after the last pooling.
            Its ``cls_token`` is the one that :meth:`forward` returns, of the
            last stage; where it returns none ('avg_segments', 'featmap'), it
            is the class token after the last pooling, or after the last stage
            if there is none.
        """
        if self._is_split(inputs):
            return _join([self.forward_hierarchy(image)
                          for image in _images(inputs)])
        stages = self._encode(
            self._tokenize(inputs), self.num_stages - 1, self.pools_last)
        segments, cls_token = None, stages.cls_token
        if self.norms_last:
            cls_token = self.norm(cls_token)
        elif self.out_type == 'segments':
            segments = self._segment_tokens(stages, self._fuse(stages))
            cls_token = segments.cls_token
        elif self.pools_last:
            cls_token = stages.pooled[-1].cls_token
        return CASTOutput(
            cls_token=cls_token,
            tokens=stages.tokens,
            logits=[pooled.logits for pooled in stages.pooled],
            sampled=[pooled.sampled for pooled in stages.pooled],
            centroids=[pooled.tokens for pooled in stages.pooled],
            empty=[
                _as_mask(empty, tokens)
                for empty, tokens in zip(stages.empty, stages.tokens)
            ],
            hierarchy=SegmentHierarchy(
                stages.labels, [pooled.parents for pooled in stages.pooled]),
            segments=segments)

    def _is_split(self, inputs: Tensor) -> bool:
        if not self.per_image or self.training:
            return False
        check_rgbs(inputs)
        return len(inputs) > 1

    def _tokenize(self, inputs: Tensor) -> TokenizedSegments:
        return self.tokenizer(*self._split_inputs(inputs))

    def _split_inputs(self,
                      inputs: Tensor) -> tuple[Tensor, Tensor, int | None]:
        """Image, labels, and the largest label plus 1 if it is read."""
        check_rgbs(inputs)
        is_read = self.num_tokens is None
        if inputs.size(1) == 4:
            image, labels, largest = split_rgbs(inputs, is_read)
        else:
            image = inputs
            with torch.no_grad():
                labels = self.superpixels(image.float() * self.std + self.mean)
            largest = int(labels.max()) if is_read else None
        return image, labels, largest + 1 if is_read else None

    def _class_tokens(self, stages: _Stages) -> tuple[Tensor, ...]:
        return tuple(
            self.norm(stages.cls_tokens[index]) if (
                index == self.num_stages - 1) else stages.cls_tokens[index]
            for index in self.out_indices)

    def _feature_maps(self, stages: _Stages) -> tuple[Tensor, ...]:
        labels = [stages.labels]
        for pooled in stages.pooled:
            labels.append(look_up_parents(pooled.parents, labels[-1]))
        tokens = dict(enumerate(stages.tokens))
        if self.fuses:
            tokens['fused'] = self._fuse(stages)[:, 1:]
        return tuple(
            tokens_to_map(tokens[index],
                          labels[0 if index == 'fused' else index],
                          self.featmap_stride) for index in self.out_indices)

    def _segment_tokens(self, stages: _Stages,
                        fused: Tensor) -> SegmentTokens:
        empty = _as_mask(stages.empty[0], stages.tokens[0])
        return SegmentTokens(fused[:, 0], fused[:, 1:], stages.labels,
                             empty if self.mask_empty else None)

    # ----------------------------------------------------- stages and fusion

    def _encode(self, segments: TokenizedSegments, last_stage: int,
                pool_last: bool = False) -> _Stages:
        """Run the stages up to ``last_stage``, with or without its pooling."""
        x, empty, fewest = segments.tokens, segments.empty, segments.fewest
        cls_token = self.cls_token[:, 0] + self.tokenizer.pos_embed[:, 0]
        cls_token = cls_token.expand(x.size(0), -1)
        stages = _Stages(segments.labels)
        for level in range(last_stage + 1):
            cls_token, x = self._run_stage(level, cls_token, x, empty)
            stages.tokens.append(x)
            stages.empty.append(empty)
            stages.cls_tokens.append(cls_token)
            if level == last_stage and not pool_last:
                break
            pooled = self.pools[level](cls_token, x, empty)
            stages.pooled.append(pooled)
            cls_token, x = pooled.cls_token, pooled.tokens
            few = self.mask_empty and fewest < x.size(1)
            empty = pooled.sampled < 0 if few else None
            fewest = min(fewest, x.size(1))
        return stages

    def _run_stage(self, level: int, cls_token: Tensor, x: Tensor,
                   empty: Tensor | None) -> tuple[Tensor, Tensor]:
        mask = None
        if self.mask_empty and empty is not None:
            # The class token is never masked.
            mask = F.pad(empty, (1, 0))
        x = torch.cat([cls_token[:, None].to(x.dtype), x], dim=1)
        for block in self.stages[level]:
            x = block(x, mask)
        return x[:, 0], x[:, 1:]

    def _fuse(self, stages: _Stages) -> Tensor:
        """(B, 1 + N_0, C) fused class token and segment tokens."""
        pooled, cls_token = stages.pooled[:self.last_stage], stages.cls_token
        if self.pools_last:
            # The last pooling contributes its class token only.
            cls_token = self.pools[-1].pool_cls_token(cls_token)
            if self.decay_unused_pooling and self.training:
                weights = self.pools[-1].grouping.parameters()
                cls_token = cls_token + 0 * sum(map(torch.sum, weights))
        tokens, ancestors = [stages.tokens[0]], None
        for level_tokens, output in zip(stages.tokens[1:], pooled):
            ancestors = (
                output.parents if ancestors is None else
                output.parents.gather(1, ancestors))
            tokens.append(take_tokens(level_tokens, ancestors))
        return self.fusion([*(output.cls_token for output in pooled),
                            cls_token], tokens, self._left_out(stages))

    def _left_out(self, stages: _Stages) -> Tensor | None:
        """(B, N_0) bool: segments that are not fused; None = all are."""
        return stages.empty[0] if self.mask_empty else None

    # ------------------------------------------- initialisation and training

    def init_weights(self) -> None:
        """Initialise the parameters, then apply ``init_cfg``."""
        if not self.is_init:
            self.reset_parameters()
        super().init_weights()

    def reset_parameters(self) -> None:
        """Reinitialise the parameters.

        With 'sincos', linear layers as in MoCo v3; with 'learned', as in
        timm's ViT, but poolings and fusion as PyTorch does. Norm layers and
        grouping biases are not changed.
        """
        self.tokenizer.stem.reset_parameters()
        if self.pos_embed == 'sincos':
            init_mocov3_(self)
            nn.init.normal_(self.cls_token, std=1e-6)
        else:
            init_timm_vit_(self.stages)
            trunc_normal_(self.cls_token, std=.02)
            trunc_normal_(self.tokenizer.pos_embed, std=.02)

    def train(self, mode: bool = True) -> 'CAST':
        """Set the mode; frozen parts stay in eval mode."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_unused(self) -> None:
        """Require no gradients of what the chosen output never uses."""
        if self.fuses and self.decay_unused_pooling:
            unused = []
        elif self.fuses:
            # The last pooling is used for the class token.
            unused = [pool.grouping for pool in self.pools[self.last_stage:]]
        else:
            unused = [*self.stages[self.last_stage + 1:],
                      *self.pools[self.last_stage:]]
        for module in unused:
            module.requires_grad_(False)

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        self.cls_token.requires_grad = False
        modules = [self.tokenizer, *self.stages[:self.frozen_stages],
                   *self.pools[:self.frozen_stages]]
        if self.frozen_stages == self.num_stages:
            # Norm and fusion, too.
            modules = self.children()
        for module in modules:
            module.eval()
            module.requires_grad_(False)

    def get_layer_depth(self, param_name: str,
                        prefix: str = '') -> tuple[int, int]:
        """Layer of a parameter and number of layers, for learning-rate decay.

        Stem, class token and positions are layer 0; a pooling belongs to the
        last block of its stage.
        """
        depth = last = sum(self.depths) + 1
        if param_name.startswith(prefix):
            name, *rest = param_name[len(prefix):].split('.')
            if name in ('cls_token', 'tokenizer'):
                depth = 0
            elif name == 'stages':
                depth = sum(self.depths[:int(rest[0])]) + int(rest[1]) + 1
            elif name == 'pools':
                depth = sum(self.depths[:int(rest[0]) + 1])
        return depth, last + 1


def _as_mask(empty: Tensor | None, tokens: Tensor) -> Tensor:
    """(B, N) bool, where None means that no token is empty."""
    if empty is None:
        return torch.zeros_like(tokens[..., 0], dtype=torch.bool)
    return empty


def _images(inputs: Tensor) -> list[Tensor]:
    """Single images, with the memory alignment of separate tensors."""
    return [image[None].clone() for image in inputs]


def _join(parts: Sequence) -> object:
    """Join the outputs of single images into a batch, with padding."""
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, SegmentHierarchy):
        return SegmentHierarchy(*(
            _join([getattr(part, name) for part in parts])
            for name in ('labels', 'parents')))
    if not isinstance(first, Tensor):
        joined = map(_join, zip(*parts))
        is_named = hasattr(first, '_fields')
        return type(first)(*joined) if is_named else type(first)(joined)
    fill = 0 if first.is_floating_point() else -1
    return pad_sequence([part[0] for part in parts], True, fill)


def _compiled(model_type: type, options: dict) -> Callable:
    """``_compute_outputs`` of a class, compiled once for each options."""
    key = model_type, repr(sorted(options.items()))
    if key not in _COMPILED:
        _COMPILED[key] = torch.compile(model_type._compute_outputs,
                                       **{'fullgraph': True, **options})
    return _COMPILED[key]


def _refuse_authors_weights(state_dict: dict, *_) -> None:
    """Raise an error where MMEngine would only log that no key fits."""
    # MMEngine passes the whole content of a file without `state_dict`.
    nested = state_dict.get('model')
    names = nested if isinstance(nested, dict) else state_dict
    if is_authors_state_dict(names):
        raise ValueError('the checkpoint is in the format of the authors of '
                         f'CAST; convert it first: python {CONVERTER} SRC DST')


# -------------------------------------------------------------------- options


def _architecture(arch: str | dict) -> tuple[int, tuple[int, ...], int]:
    """Width, blocks per stage, and number of heads."""
    if isinstance(arch, str):
        _check_choice('arch', arch, tuple(ARCHITECTURES))
        arch = ARCHITECTURES[arch]
    if set(arch) != {'embed_dims', 'depths', 'num_heads'}:
        raise ValueError('`arch` must have the keys embed_dims, depths and '
                         f'num_heads, got {sorted(arch)}')
    depths = _integers('arch["depths"]', arch['depths'])
    return arch['embed_dims'], depths, arch['num_heads']


def _grid_size(img_size: int | tuple[int, int]) -> tuple[int, int]:
    """(h, w), number of cells of the stem's grid."""
    height, width = _integers('img_size', to_2tuple(img_size))
    return -(-height // ConvStem.stride), -(-width // ConvStem.stride)


def _out_indices(out_indices: Sequence[int | str] | None, num_stages: int,
                 with_fused: bool) -> tuple[int | str, ...]:
    if out_indices is None:
        return tuple(range(num_stages))
    allowed = {i: i % num_stages for i in range(-num_stages, num_stages)}
    if with_fused:
        allowed['fused'] = 'fused'
    if not out_indices or not set(out_indices) <= set(allowed):
        raise ValueError(
            f'`out_indices` must hold stages 0..{num_stages - 1} (or -1 for '
            f"the last){' and ' + repr('fused') if with_fused else ''}, got "
            f'{out_indices!r}')
    return tuple(allowed[index] for index in out_indices)


def _integers(name: str, values: Sequence[int]) -> tuple[int, ...]:
    for value in values:
        check_number(name, value, minimum=1, whole=True)
    return tuple(map(int, values))


def _check_choice(name: str, value: object, choices: tuple) -> None:
    if value not in choices:
        raise ValueError(f'`{name}` must be one of {choices}, got {value!r}')
