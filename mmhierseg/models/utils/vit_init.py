"""Initialisations of the transformer's linear layers.

Convolutions and norm layers keep PyTorch's defaults in both.
"""

import math

from mmengine.model.weight_init import trunc_normal_
from torch import nn


def init_mocov3_(module: nn.Module) -> None:
    """MoCo v3's (Chen et al., ICCV 2021), in place.

    Linear layers are Xavier-uniform with zero bias. A joint query-key-value
    layer is three matrices of its own bound, sqrt(6 / (out / 3 + in)).

    Args:
        module (nn.Module): Module whose linear layers are drawn anew; a joint
            layer is recognised by the name 'qkv'.
    """
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        if name.rsplit('.', 1)[-1] == 'qkv':
            fan = layer.out_features // 3 + layer.in_features
            bound = math.sqrt(6 / fan)
            nn.init.uniform_(layer.weight, -bound, bound)
        else:
            nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def init_timm_vit_(module: nn.Module) -> None:
    """ViT's as in timm and DeiT (Touvron et al., ICML 2021), in place.

    Linear layers are truncated normal of std 0.02 with zero bias.

    Args:
        module (nn.Module): Module whose linear layers are drawn anew.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            trunc_normal_(layer.weight, std=.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
