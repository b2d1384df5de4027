"""DINOv3's vision transformer, by timm, as a backbone of feature maps."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS

#: Width, depth and heads of the released models with plain MLPs.
_ARCHS = dict(small=(384, 12, 6), base=(768, 12, 12), large=(1024, 24, 16))
_PATCH = 16


@MODELS.register_module()
class DINOv3ViT(BaseModule):
    """Vision transformer with rotary positions (Siméoni et al., 2025).

    arXiv 2508.10104. ``tools/model_converters/dino2mmhierseg.py`` converts
    its authors' weights; nothing is downloaded. Needs ``timm`` (1.0.20 or
    later), ``pip install mmhierseg[timm]``; else ImportError.

    Positions are computed from the size of the image. Their periods are
    rounded to bfloat16, as in the authors' files; timm's are not, which
    changes features.

    Args:
        arch (str | dict): 'small', 'base', 'large', or a dict with
            ``embed_dims``, ``num_layers``, ``num_heads`` and, optionally,
            ``feedforward_channels``. Else ValueError. Defaults to 'small'.
        final_norm (bool): Whether features are those after the last norm.
            Defaults to True.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 arch: str | dict = 'small',
                 final_norm: bool = True,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        try:
            import timm
        except ImportError as error:
            raise ImportError('DINOv3ViT needs timm 1.0.20 or later: '
                              'pip install mmhierseg[timm]') from error
        if isinstance(arch, str):
            if arch not in _ARCHS:
                raise ValueError(f'`arch` must be one of {", ".join(_ARCHS)}, '
                                 f'or a dict, got {arch!r}')
            dims, layers, heads = _ARCHS[arch]
            arch = dict(embed_dims=dims, num_layers=layers, num_heads=heads)
        dims = arch['embed_dims']
        # The one whose attention has biases, as the authors'.
        self.vit = timm.create_model(
            'vit_small_patch16_dinov3_qkvb',
            pretrained=False,
            num_classes=0,
            embed_dim=dims,
            depth=arch['num_layers'],
            num_heads=arch['num_heads'],
            mlp_ratio=arch.get('feedforward_channels', 4 * dims) / dims)
        if not final_norm:
            self.vit.norm = nn.Identity()
        periods = self.vit.rope.periods
        periods.copy_(periods.to(torch.bfloat16))

    def forward(self, inputs: Tensor) -> tuple[Tensor]:
        """Features (B, C, H / 16, W / 16) of images (B, 3, H, W).

        ValueError if H or W is no multiple of 16.
        """
        if any(side % _PATCH for side in inputs.shape[2:]):
            raise ValueError(
                'height and width must be multiples of 16, got '
                f'{tuple(inputs.shape[2:])}: give the embedder or '
                'KMeansHierarchy `size_divisor=16`')
        return tuple(
            self.vit.forward_intermediates(
                inputs, indices=1, norm=True, intermediates_only=True))
