"""Weights of MMPretrain's ViT under the names of MMSegmentation's."""

from typing import Dict, Tuple

from torch import Tensor

__all__ = ['to_mmseg_vit']

# `layers.{i}.` of both, what comes behind it.
_RENAMED: Tuple[Tuple[str, str], ...] = (
    ('attn.qkv.', 'attn.attn.in_proj_'),
    ('attn.proj.', 'attn.attn.out_proj.'),
)


def to_mmseg_vit(state_dict: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Rename the weights of ``mmpretrain.MoCoV3ViT``.

    Args:
        state_dict (Dict[str, Tensor]): Of the backbone.

    Returns:
        Dict[str, Tensor]: For ``mmseg.VisionTransformer`` with
        ``patch_bias=True, final_norm=True, norm_cfg=dict(type='LN',
        eps=1e-6)``, which then is the same function.
    """
    renamed = {}
    for name, value in state_dict.items():
        for old, new in _RENAMED:
            name = name.replace(old, new)
        renamed[name] = value
    return renamed
