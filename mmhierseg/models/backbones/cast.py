"""CAST: a vision transformer on superpixels with graph pooling.

Ke, Mo and Yu, "Learning Hierarchical Image Segmentation For Recognition and
By Recognition", ICLR 2024 (arXiv 2210.00314), Sec. 3.

Legend: B images, N_l segments at level l (0 = superpixels), C channels, H x W
pixels.
"""

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from mmhierseg.checkpoints.cast import (
    CONVERTER,
    is_authors_state_dict,
)
from mmhierseg.ops import look_up_parents, masked_mean, tokens_to_map
from mmhierseg.registry import MODELS, SUPERPIXELS
from mmhierseg.structures import CASTOutput, SegmentHierarchy, SegmentTokens
from mmhierseg.superpixels.base import BaseSuperpixels, check_number

from ..necks.graph_pooling import GraphPooling, GraphPoolingOutput
from ..utils import (
    BlockFusion,
    TransformerBlock,
    check_rgbs,
    follow_parents,
    split_rgbs,
)
from .cast_config import CASTOptions
from .cast_parameters import CASTParameters
from .segment_tokenizer import SegmentTokenizer, TokenizedSegments

#: By class and options.
_COMPILED: Dict[tuple, Callable] = {}


@dataclass
class _Stages:
    """What the stages compute; lists run over stages."""

    labels: Tensor
    cls_token: Tensor
    """(B, C) after the last stage's blocks."""
    tokens: List[Tensor] = field(default_factory=list)
    """(B, N_l, C) after the blocks, before pooling."""
    empty: List[Optional[Tensor]] = field(default_factory=list)
    """(B, N_l) bool before pooling; None = no token is empty."""
    pooled: List[GraphPoolingOutput] = field(default_factory=list)


@MODELS.register_module()
class CAST(CASTParameters):
    """Vision transformer whose tokens are segments, ever fewer and larger.

    Takes RGBS, (B, 4, H, W) = normalised RGB and a map of superpixels, as the
    data preprocessors of this package make it, or (B, 3, H, W), for which it
    makes superpixels itself. Any H x W; a map with gaps, or a window of a
    larger map, is relabelled per image (with ``mask_empty=True``).

    ``forward`` returns a tuple. With ``out_type``

    * ``'cls_token'``: one (B, C), the class token after the last norm;
    * ``'avg_segments'``: one (B, C), the mean of the fused segment tokens;
    * ``'segments'``: one :class:`~mmhierseg.structures.SegmentTokens`, fused;
    * ``'featmap'``: one (B, C, H', W') per entry of ``out_indices``, with
      H' = ceil(H / featmap_stride): a cell is the mean of its pixels'
      segment tokens, pixels without a segment counting as zero.

    *Fused* tokens join those of all stages along the hard parents. Parameters
    that the chosen output never uses do not require gradients.

    Args:
        arch (str | dict): 'small' (CAST-S), 'small-deep' (CAST-SD), 'base'
            (CAST-B), 'base-deep', or a dict with ``embed_dims`` (a multiple
            of 8), ``depths`` (blocks per stage) and ``num_heads``. Defaults
            to 'small'.
        img_size (int | Tuple[int, int]): Side, or height and width, of the
            images that the positional encodings are made for; others get
            them interpolated. Defaults to 224.
        num_clusters (Sequence[int]): Segments after each stage. Defaults to
            (64, 32, 16, 8), for about 196 superpixels; the papers' choice for
            about 1024 is (320, 160, 80, 40). One less than there are stages
            means no pooling after the last; with one stage, (), there is
            none at all, for a plain transformer on superpixels.
        pos_embed (str): 'sincos', fixed, with MoCo v3's initialisation, or
            'learned', with that of DeiT. Defaults to 'sincos'.
        out_type (str): See above. Defaults to 'cls_token'.
        out_indices (Sequence[int | str], optional): Maps of 'featmap': stages
            (0..3; -1 is the last) and 'fused'. Other outputs ignore it.
            Defaults to None, all stages.
        segment_at (str, optional): Where features are averaged over segments:
            'stem', the stem's grid, at which the segments are sampled, or
            'pixel', the full size. Defaults to None: 'pixel' for 'segments'
            and 'featmap', 'stem' otherwise.
        featmap_stride (int): Side in pixels of a cell of 'featmap': 32, 16,
            8, 4, 2 or 1. Defaults to 8.
        mask_empty (bool): Whether tokens of segments that an image does not
            have are left out of attention and pooling, so that the output for
            an image does not depend on its batch mates. Quirk: the authors'
            code lets them take part, and checkpoints that they publish need
            False for their exact features. Defaults to True.
        num_tokens (int, optional): Fixed number of segment tokens. Those that
            an image has no segment for are masked out; an image with more
            segments is refused. Nothing in a step waits for a GPU then, and
            no size depends on what images hold. Defaults to None: as many as
            the image with the most has.
        compile_cfg (dict, optional): Options of ``torch.compile``, by which
            ``forward`` is compiled as one graph, e.g. dict() or
            dict(mode='reduce-overhead'). Needs ``num_tokens``. Defaults to
            None: it is not compiled.
        superpixels (dict | BaseSuperpixels, optional): What makes superpixels
            of inputs that come without. Defaults to None:
            dict(type='TorchSLIC', segment_size=16).
        mean (Sequence[float]): Mean, in 0..255, that normalised the RGB of
            such inputs. Defaults to ImageNet's.
        std (Sequence[float]): Standard deviation, likewise.
        mlp_ratio (float): Width of the MLPs over C. Defaults to 4.
        drop_rate (float): Dropout in the blocks. Defaults to 0.
        drop_path_rate (float): Stochastic depth of the last block; grows
            linearly from 0. Defaults to 0.
        pool_drop_rate (float): Dropout in the poolings. Defaults to 0.1.
        fusion_drop_rate (float): Dropout in the fusion. Defaults to 0.2.
        norm_cfg (dict, optional): Norm layer of stem and fusion. Defaults to
            None: dict(type='BN').
        norm_eval (bool): Whether BatchNorm stays in eval mode in training.
            Defaults to False.
        frozen_stages (int): Stages not to train: 0 freezes stem, class token
            and positions, l > 0 also the first l stages, and all of them
            everything else (last norm, fusion) as well. Defaults to -1.
        with_cp (bool): Whether to recompute the blocks in the backward pass
            instead of keeping their activations. Defaults to False.
        init_cfg (dict, optional): Initialisation config, e.g.
            dict(type='Pretrained', checkpoint=..., prefix='backbone.').

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If an option is unknown or options do not fit each other.

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
                 arch: Union[str, dict] = 'small',
                 img_size: Union[int, Tuple[int, int]] = 224,
                 num_clusters: Sequence[int] = (64, 32, 16, 8),
                 pos_embed: str = 'sincos',
                 out_type: str = 'cls_token',
                 out_indices: Optional[Sequence[Union[int, str]]] = None,
                 segment_at: Optional[str] = None,
                 featmap_stride: int = 8,
                 mask_empty: bool = True,
                 num_tokens: Optional[int] = None,
                 compile_cfg: Optional[dict] = None,
                 superpixels: Union[dict, BaseSuperpixels, None] = None,
                 mean: Sequence[float] = (123.675, 116.28, 103.53),
                 std: Sequence[float] = (58.395, 57.12, 57.375),
                 mlp_ratio: float = 4.,
                 drop_rate: float = 0.,
                 drop_path_rate: float = 0.,
                 pool_drop_rate: float = 0.1,
                 fusion_drop_rate: float = 0.2,
                 norm_cfg: Optional[dict] = None,
                 norm_eval: bool = False,
                 frozen_stages: int = -1,
                 with_cp: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type='BN')
        options = CASTOptions(arch, img_size, num_clusters, pos_embed,
                              out_type, out_indices, segment_at,
                              featmap_stride, drop_path_rate, frozen_stages)
        self.options = options
        self.embed_dims = options.embed_dims
        self.num_stages = len(options.depths)
        self.mask_empty = mask_empty
        self._set_tracing(num_tokens, compile_cfg)
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self._set_superpixels(superpixels, mean, std)

        self.tokenizer = SegmentTokenizer(self.embed_dims, options.grid_size,
                                          pos_embed, options.segment_at,
                                          mask_empty, norm_cfg, num_tokens)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims))
        self.stages = self._make_stages(mlp_ratio, drop_rate, drop_path_rate,
                                        with_cp)
        self.pools = nn.ModuleList(
            GraphPooling(
                self.embed_dims,
                num,
                options.num_heads,
                mlp_ratio,
                pool_drop_rate,
                mask_empty=mask_empty) for num in options.num_clusters)
        if options.out_type == 'cls_token':
            self.norm = nn.LayerNorm(self.embed_dims, eps=1e-6)
        if options.fuses:
            self.fusion = BlockFusion(self.embed_dims, self.num_stages,
                                      fusion_drop_rate, norm_cfg)
        self.reset_parameters()
        self._freeze_unused()
        self._freeze_stages()
        self._register_load_state_dict_pre_hook(_refuse_authors_weights)

    def _set_tracing(self, num_tokens: Optional[int],
                     compile_cfg: Optional[dict]) -> None:
        """Whether sizes are fixed, and the model is compiled."""
        if num_tokens is not None:
            check_number('num_tokens', num_tokens, minimum=1, whole=True)
            if not self.mask_empty:
                raise ValueError('`num_tokens` needs `mask_empty=True`: '
                                 'tokens beyond the segments would take part')
        elif compile_cfg is not None:
            raise ValueError('`compile_cfg` needs `num_tokens`, the fixed '
                             'number of tokens: as many as an image has '
                             'segments at most')
        self.num_tokens = num_tokens
        self.compile_cfg = compile_cfg

    def _set_superpixels(self, superpixels: Union[dict, BaseSuperpixels,
                                                  None],
                         mean: Sequence[float], std: Sequence[float]) -> None:
        """What makes superpixels of normalised images without any."""
        if superpixels is None:
            superpixels = dict(type='TorchSLIC', segment_size=16)
        if not isinstance(superpixels, BaseSuperpixels):
            superpixels = SUPERPIXELS.build(superpixels)
        self.superpixels = superpixels
        for name, values in (('mean', mean), ('std', std)):
            if len(values) != 3:
                raise ValueError(f'`{name}` must have 3 values, for red, '
                                 f'green and blue, got {values}')
            self.register_buffer(
                name,
                torch.tensor(values, dtype=torch.float32).view(-1, 1, 1),
                persistent=False)

    # ---------------------------------------------------------------- outputs

    def forward(self, inputs: Tensor) -> Tuple[Union[Tensor, SegmentTokens]]:
        """Features of a batch of images.

        Args:
            inputs (Tensor): (B, 4, H, W) normalised RGB and segment map, or
                (B, 3, H, W) normalised RGB.

        Returns:
            Tuple[Tensor | SegmentTokens]: See the class.

        Raises:
            TypeError: If ``inputs`` is no floating-point tensor.
            ValueError: If its shape or its labels are wrong.
        """
        segments = self._segments(inputs)
        if self.compile_cfg is None:
            return self._outputs(*segments)
        # Of the function, not of a bound method: a copy of this module, such
        # as a momentum encoder, would go on using this one's weights.
        return _compiled(type(self), self.compile_cfg)(self, *segments)

    def _outputs(self, image: Tensor, labels: Tensor,
                 num_labels: Optional[int]
                 ) -> Tuple[Union[Tensor, SegmentTokens]]:
        options = self.options
        stages = self._encode((image, labels, num_labels),
                              options.last_stage, pool_last=False)
        if options.out_type == 'cls_token':
            return (self.norm(stages.cls_token), )
        if options.out_type == 'featmap':
            return self._feature_maps(stages)
        fused = self._fuse(stages)
        if options.out_type == 'segments':
            return (self._segment_tokens(stages, fused), )
        return (masked_mean(fused[:, 1:], self._left_out(stages)), )

    def forward_hierarchy(self, inputs: Tensor) -> CASTOutput:
        """Everything the model computes, the hierarchy of segments included.

        Args:
            inputs (Tensor): As in :meth:`forward`.

        Returns:
            CASTOutput: All levels, the one after the last pooling too. Its
            ``cls_token`` is the one that :meth:`forward` returns; where it
            returns none ('avg_segments', 'featmap'), the one that comes out
            of the last pooling, or of the last stage if there is none.
        """
        stages = self._encode(
            self._segments(inputs), self.num_stages - 1,
            self.options.pools_last)
        segments = None
        if self.options.out_type == 'cls_token':
            cls_token = self.norm(stages.cls_token)
        elif self.options.out_type == 'segments':
            segments = self._segment_tokens(stages, self._fuse(stages))
            cls_token = segments.cls_token
        elif self.options.pools_last:
            cls_token = stages.pooled[-1].cls_token
        else:
            cls_token = stages.cls_token
        empty = [
            torch.zeros_like(tokens[..., 0], dtype=torch.bool)
            if mask is None else mask
            for tokens, mask in zip(stages.tokens, stages.empty)
        ]
        return CASTOutput(
            cls_token=cls_token,
            tokens=stages.tokens,
            logits=[pooled.logits for pooled in stages.pooled],
            sampled=[pooled.sampled for pooled in stages.pooled],
            centroids=[pooled.tokens for pooled in stages.pooled],
            empty=empty,
            hierarchy=SegmentHierarchy(
                stages.labels, [pooled.parents for pooled in stages.pooled]),
            segments=segments)

    def _feature_maps(self, stages: _Stages) -> Tuple[Tensor]:
        labels = [stages.labels]
        for pooled in stages.pooled:
            labels.append(look_up_parents(pooled.parents, labels[-1]))
        maps = []
        for index in self.options.out_indices:
            if index == 'fused':
                tokens, level = self._fuse(stages)[:, 1:], 0
            else:
                tokens, level = stages.tokens[index], index
            maps.append(
                tokens_to_map(tokens, labels[level],
                              self.options.featmap_stride))
        return tuple(maps)

    def _segment_tokens(self, stages: _Stages,
                        fused: Tensor) -> SegmentTokens:
        empty = None
        if self.mask_empty:
            empty = stages.empty[0]
            if empty is None:
                empty = torch.zeros_like(fused[:, 1:, 0], dtype=torch.bool)
        return SegmentTokens(fused[:, 0], fused[:, 1:], stages.labels, empty)

    def _fuse(self, stages: _Stages) -> Tensor:
        """(B, 1 + N_0, C) fused class token and segment tokens."""
        pooled = stages.pooled[:self.num_stages - 1]
        cls_tokens = [output.cls_token for output in pooled]
        cls_token = stages.cls_token
        if self.options.pools_last:
            # Of the last pooling only the class token's way enters.
            cls_token = self.pools[-1].pool_cls_token(cls_token)
        cls_tokens.append(cls_token)
        tokens = follow_parents(stages.tokens,
                                [output.parents for output in pooled])
        return self.fusion(cls_tokens, tokens, self._left_out(stages))

    def _left_out(self, stages: _Stages) -> Optional[Tensor]:
        """(B, N_0) bool: segments that are not fused; None = all are."""
        return stages.empty[0] if self.mask_empty else None

    # ----------------------------------------------------------------- stages

    def _encode(self, segments: Tuple[Tensor, Tensor, Optional[int]],
                last_stage: int, pool_last: bool) -> _Stages:
        """Run the stages up to one, and its pooling where it is asked for."""
        segments = self.tokenizer(*segments)
        x, empty, fewest = segments.tokens, segments.empty, segments.fewest
        cls_token = self.cls_token[:, 0] + self.tokenizer.cls_position
        cls_token = cls_token.expand(x.size(0), -1)
        stages = _Stages(segments.labels, cls_token)
        for level in range(last_stage + 1):
            cls_token, x = self._run_stage(level, cls_token, x, empty)
            stages.tokens.append(x)
            stages.empty.append(empty)
            stages.cls_token = cls_token
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
                   empty: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        mask = None
        if self.mask_empty and empty is not None:
            # Everybody attends to the class token.
            mask = nn.functional.pad(empty, (1, 0))
        x = torch.cat([cls_token[:, None].to(x.dtype), x], dim=1)
        for block in self.stages[level]:
            x = block(x, mask)
        return x[:, 0], x[:, 1:]

    def _segments(self,
                  inputs: Tensor) -> Tuple[Tensor, Tensor, Optional[int]]:
        """Image, labels, and the largest label plus 1, if it is read."""
        check_rgbs(inputs)
        unread = self.num_tokens is not None
        if inputs.size(1) == 4:
            image, labels, largest = split_rgbs(inputs, read=not unread)
        else:
            image, labels = inputs, self._make_superpixels(inputs)
            largest = None if unread else int(labels.max())
        return image, labels, None if unread else largest + 1

    def _tokenize(self, inputs: Tensor) -> TokenizedSegments:
        return self.tokenizer(*self._segments(inputs))

    @torch.no_grad()
    def _make_superpixels(self, image: Tensor) -> Tensor:
        return self.superpixels(image.float() * self.std + self.mean)

    def _make_stages(self, mlp_ratio: float, drop_rate: float,
                     drop_path_rate: float, with_cp: bool) -> nn.ModuleList:
        depths = self.options.depths
        step = drop_path_rate / max(sum(depths) - 1, 1)
        rates = [step * i for i in range(sum(depths))]
        blocks = [
            TransformerBlock(self.embed_dims, self.options.num_heads,
                             mlp_ratio, drop_rate, rate, with_cp)
            for rate in rates
        ]
        return nn.ModuleList(
            nn.ModuleList(blocks[sum(depths[:i]):sum(depths[:i + 1])])
            for i in range(len(depths)))


def _compiled(model_type: type, options: dict) -> Callable:
    """``_outputs`` of a class of models, compiled once with some options."""
    key = model_type, repr(sorted(options.items()))
    if key not in _COMPILED:
        _COMPILED[key] = torch.compile(model_type._outputs,
                                       **{'fullgraph': True, **options})
    return _COMPILED[key]


def _refuse_authors_weights(state_dict: dict, *_) -> None:
    """None of these would fit, and MMEngine would only log so."""
    # MMEngine hands on the whole of a file that has no `state_dict`.
    nested = state_dict.get('model')
    names = nested if isinstance(nested, dict) else state_dict
    if is_authors_state_dict(names):
        raise ValueError('the checkpoint is in the format of the authors of '
                         f'CAST; convert it first: python {CONVERTER} SRC DST')
