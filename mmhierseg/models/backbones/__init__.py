"""Backbones."""

from importlib.util import find_spec

from mmhierseg.registry import register_placeholder

from .cast import CAST
from .dinov3 import DINOv3ViT

if find_spec('mmpretrain') is not None:
    from .conv_vit import MoCoV3ConvViT
else:
    MoCoV3ConvViT = register_placeholder('MoCoV3ConvViT', 'mmpretrain')

__all__ = ['CAST', 'DINOv3ViT', 'MoCoV3ConvViT']
