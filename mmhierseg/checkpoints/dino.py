"""Convert the checkpoints that DINOv2's and DINOv3's authors publish.

A file holds the weights of one vision transformer: DINOv2 (Oquab et al., 2023,
arXiv 2304.07193) with a table of positions, for MMPretrain's
``VisionTransformer``; DINOv3 (Siméoni et al., 2025, arXiv 2508.10104) with
rotary ones, for :class:`~mmhierseg.models.DINOv3ViT`.
"""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from .converted import ConvertedCheckpoint, StateDict, describe, to_float32

CONVERTER = 'tools/model_converters/dino2mmhierseg.py'

#: Not weights: positions, which are checked, and masks of biases.
_BUFFERS = ('rope_embed.periods', '.qkv.bias_mask')
_BLOCK = r'blocks\.(\d+)\.'
# Authors' name -> ours; the first match counts.
_RULES = dict(
    dinov2=[
        (r'(cls_token|pos_embed)$', r'\1'),
        (r'patch_embed\.proj\.', 'patch_embed.projection.'),
        (_BLOCK + r'norm(\d)\.', r'layers.\1.ln\2.'),
        (_BLOCK + r'(attn\.(?:qkv|proj)\.)', r'layers.\1.\2'),
        (_BLOCK + r'ls1\.gamma', r'layers.\1.attn.gamma1.weight'),
        (_BLOCK + r'ls2\.gamma', r'layers.\1.ffn.gamma2.weight'),
        (_BLOCK + r'mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
        (_BLOCK + r'mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
        (r'norm\.', 'ln1.'),
    ],
    dinov3=[
        (r'storage_tokens$', 'vit.reg_token'),
        (_BLOCK + r'ls(\d)\.gamma', r'vit.blocks.\1.gamma_\2'),
        (r'(cls_token$|patch_embed\.proj\.|norm\.|' + _BLOCK +
         r'(?:norm\d|attn\.qkv|attn\.proj|mlp\.fc\d)\.)', r'vit.\1'),
    ])


def is_dino_state_dict(names: Iterable[str]) -> bool:
    """Recognise the weights of DINOv2 and DINOv3 by their names."""
    return {'cls_token', 'patch_embed.proj.weight', 'blocks.0.ls1.gamma'
            } <= {str(name) for name in names}


def convert_dino_checkpoint(checkpoint: dict) -> ConvertedCheckpoint:
    """Rename the weights of a file of DINOv2's or DINOv3's authors.

    Raises:
        ValueError: If it is another file, or of a model that the backbones
            cannot be: DINOv2 with registers, or other rotary positions.
    """
    if not isinstance(checkpoint, dict) or not is_dino_state_dict(checkpoint):
        raise ValueError(
            'not a checkpoint of the authors of DINOv2 or DINOv3: expected '
            '`cls_token`, `patch_embed.proj.*` and `blocks.*.ls1.gamma`, got '
            f'{describe(checkpoint)}')
    kind = 'dinov2' if 'pos_embed' in checkpoint else 'dinov3'
    if 'register_tokens' in checkpoint:
        raise ValueError(
            'the model has registers (`register_tokens`), which '
            "MMPretrain's VisionTransformer has not: take DINOv2's weights "
            'without registers')
    _check_periods(checkpoint)
    state_dict, unconverted = {}, []
    for key, value in checkpoint.items():
        name = _rename(str(key), kind)
        if name is not None:
            state_dict[f'backbone.{name}'] = value
        elif not str(key).endswith(_BUFFERS):
            unconverted.append(str(key))
    if kind == 'dinov3':
        state_dict = _split_biases(state_dict)
    return ConvertedCheckpoint(
        to_float32(state_dict), kind, sorted(unconverted),
        _backbone_options(checkpoint, kind))


def _rename(key: str, kind: str) -> str | None:
    for pattern, name in _RULES[kind]:
        if re.match(pattern, key) and not key.endswith(_BUFFERS):
            return re.sub('^' + pattern, name, key)
    return None


def _check_periods(checkpoint: StateDict) -> None:
    """Rotary positions have the base of 100 that the backbone has."""
    periods = checkpoint.get('rope_embed.periods')
    if periods is None:
        return
    steps = torch.arange(len(periods)) / len(periods)
    if not torch.allclose(periods.float(), 100**steps, rtol=0.01):
        raise ValueError('`rope_embed.periods` must be those of a base of '
                         f'100, got {periods.tolist()[:4]} ...')


def _split_biases(state_dict: StateDict) -> StateDict:
    """Parts of the biases of attention; timm's keys have none."""
    split: dict[str, Tensor] = {}
    for name, value in state_dict.items():
        if not name.endswith('.qkv.bias'):
            split[name] = value
            continue
        # The authors mask the middle part, whatever it holds.
        query, _, split[name.replace('qkv.bias', 'v_bias')] = value.chunk(3)
        split[name.replace('qkv.bias', 'q_bias')] = query
    return split


def _backbone_options(checkpoint: StateDict, kind: str) -> dict:
    """Options that follow from the weights; all heads have 64 channels."""
    dims, _, patch, _ = checkpoint['patch_embed.proj.weight'].shape
    hidden = checkpoint.get('blocks.0.mlp.fc1.bias', torch.empty(4 * dims))
    arch = dict(
        embed_dims=dims,
        num_layers=sum(
            bool(re.fullmatch(_BLOCK + 'ls1.gamma', str(key)))
            for key in checkpoint),
        num_heads=max(dims // 64, 1),
        feedforward_channels=len(hidden))
    if kind == 'dinov3':
        return dict(type='mmhierseg.DINOv3ViT', arch=arch)
    side = round((checkpoint['pos_embed'].size(1) - 1)**0.5)
    return dict(
        type='mmpretrain.VisionTransformer',
        arch=arch,
        img_size=patch * side,
        patch_size=patch,
        layer_scale_init_value=1e-5,
        out_type='featmap')
