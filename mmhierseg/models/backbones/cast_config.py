"""Options of CAST, checked once and completed with what follows from them."""

from numbers import Integral
from typing import Optional, Sequence, Tuple, Union

from mmhierseg.superpixels.base import check_number

from ..utils import ConvStem

# CAST, Appendix: architectures. ``depths`` are blocks per stage.
ARCHITECTURES = {
    'small': dict(embed_dims=384, depths=(3, 3, 3, 2), num_heads=12),
    'small-deep': dict(embed_dims=384, depths=(6, 3, 3, 3), num_heads=12),
    'base': dict(embed_dims=768, depths=(3, 3, 3, 2), num_heads=12),
    'base-deep': dict(embed_dims=768, depths=(6, 3, 3, 3), num_heads=12),
}
OUT_TYPES = ('cls_token', 'avg_segments', 'segments', 'featmap')
POS_EMBEDS = ('sincos', 'learned')
SEGMENT_AT = ('stem', 'pixel')
FEATMAP_STRIDES = (32, 16, 8, 4, 2, 1)


class CASTOptions:
    """The options of CAST that hang together; see there for their meaning.

    Attributes:
        embed_dims (int): Width C.
        depths (Tuple[int, ...]): Blocks per stage.
        num_heads (int): Attention heads.
        grid_size (Tuple[int, int]): (h, w) of the positional encodings.
        last_stage (int): Last stage whose tokens the output needs.
        fuses (bool): Whether the output needs fused tokens.
        pools_last (bool): Whether there is a pooling after the last stage.
    """

    def __init__(self, arch: Union[str, dict],
                 img_size: Union[int, Tuple[int, int]],
                 num_clusters: Sequence[int], pos_embed: str, out_type: str,
                 out_indices: Optional[Sequence[Union[int, str]]],
                 segment_at: Optional[str], featmap_stride: int,
                 drop_path_rate: float, frozen_stages: int) -> None:
        self.embed_dims, self.depths, self.num_heads = _architecture(arch)
        num_stages = len(self.depths)
        self.num_clusters = _integers('num_clusters', num_clusters)
        if len(self.num_clusters) not in (num_stages, num_stages - 1):
            raise ValueError(
                f'`num_clusters` must have one entry for each of the '
                f'{num_stages} stages, or one less for no pooling after the '
                f'last, got {self.num_clusters}')
        self.pools_last = len(self.num_clusters) == num_stages
        if isinstance(img_size, Integral):
            img_size = (img_size, img_size)
        height, width = _integers('img_size', img_size, length=2)
        self.grid_size = (-(-height // ConvStem.stride),
                          -(-width // ConvStem.stride))
        _check_choice('pos_embed', pos_embed, POS_EMBEDS)
        _check_choice('out_type', out_type, OUT_TYPES)
        _check_choice('featmap_stride', featmap_stride, FEATMAP_STRIDES)
        self.pos_embed, self.out_type = pos_embed, out_type
        self.featmap_stride = featmap_stride
        if segment_at is None:
            segment_at = ('pixel'
                          if out_type in ('segments', 'featmap') else 'stem')
        _check_choice('segment_at', segment_at, SEGMENT_AT)
        self.segment_at = segment_at
        if not -1 <= frozen_stages <= num_stages:
            raise ValueError(f'`frozen_stages` must lie in [-1, {num_stages}]'
                             f', got {frozen_stages}')
        check_number('drop_path_rate', drop_path_rate, 0, 1)
        self.out_indices = _out_indices(out_type, out_indices, num_stages)
        self.fuses = (
            out_type in ('avg_segments', 'segments')
            or 'fused' in self.out_indices)
        self.last_stage = num_stages - 1
        if out_type == 'featmap' and not self.fuses:
            self.last_stage = max(self.out_indices)


def _architecture(
        arch: Union[str, dict]) -> Tuple[int, Tuple[int, ...], int]:
    if isinstance(arch, str):
        _check_choice('arch', arch, tuple(ARCHITECTURES))
        arch = ARCHITECTURES[arch]
    elif not isinstance(arch, dict):
        raise TypeError('`arch` must be a name or a dict, got '
                        f'{type(arch).__name__}')
    expected = {'embed_dims', 'depths', 'num_heads'}
    if set(arch) != expected:
        raise ValueError(f'`arch` must have the keys {sorted(expected)}, got '
                         f'{sorted(arch)}')
    depths = _integers('arch["depths"]', arch['depths'])
    if not depths:
        raise ValueError('`arch["depths"]` must name the blocks of at least '
                         'one stage, got none')
    for key in ('embed_dims', 'num_heads'):
        check_number(f'arch["{key}"]', arch[key], minimum=1, whole=True)
    return arch['embed_dims'], depths, arch['num_heads']


def _out_indices(out_type: str,
                 out_indices: Optional[Sequence[Union[int, str]]],
                 num_stages: int) -> Tuple[Union[int, str], ...]:
    if out_type != 'featmap':
        return ()
    if out_indices is None:
        return tuple(range(num_stages))
    if isinstance(out_indices, (int, str)):
        out_indices = (out_indices, )
    allowed = {index: index for index in range(num_stages)}
    allowed.update({-1 - i: num_stages - 1 - i for i in range(num_stages)})
    allowed['fused'] = 'fused'
    for index in out_indices:
        if index not in allowed:
            raise ValueError(
                f'`out_indices` must hold stages 0..{num_stages - 1} (or -1 '
                f"for the last) and 'fused', got {index!r}")
    if not out_indices:
        raise ValueError('`out_indices` must not be empty')
    return tuple(allowed[index] for index in out_indices)


def _integers(name: str, values: Sequence[int],
              length: Optional[int] = None) -> Tuple[int, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f'`{name}` must be a sequence of integers'
                        f'{" or an integer" if length else ""}, got '
                        f'{values!r} of type {type(values).__name__}')
    if length is not None and len(values) != length:
        raise ValueError(
            f'`{name}` must have {length} entries, got {tuple(values)}')
    for value in values:
        check_number(name, value, minimum=1, whole=True)
    return tuple(map(int, values))


def _check_choice(name: str, value, choices: tuple) -> None:
    if value not in choices or isinstance(value, float):
        raise ValueError(f'`{name}` must be one of {choices}, got {value!r}')
