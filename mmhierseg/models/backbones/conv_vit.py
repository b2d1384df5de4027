"""MoCo v3's vision transformer, the baseline of the CAST paper."""

import torch
from mmengine.utils import to_2tuple
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.selfsup import MoCoV3ViT
from torch import Tensor, nn

from mmhierseg.ops import sincos_position_encoding
from mmhierseg.registry import MODELS

from ..utils import ConvStem, init_mocov3_


class _PatchStem(ConvStem):
    """A convolutional stem of stride 16 in place of a patch embedding."""

    stride = 16

    def __init__(self, embed_dims: int, img_size: tuple[int, int]) -> None:
        super().__init__(embed_dims, strides=(2, 2, 2, 2))
        self.init_out_size = tuple(-(-side // 16) for side in img_size)

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[int, int]]:
        x = super().forward(image)
        return x.flatten(2).transpose(1, 2), tuple(x.shape[2:])


@MODELS.register_module()
class MoCoV3ConvViT(MoCoV3ViT):
    """MoCo v3's vision transformer with a convolutional stem.

    Chen et al., ICCV 2021, ``vit_conv_small`` and ``vit_conv_base``: the
    stem, which is trained, takes the place of the patch projection and of one
    of the 12 blocks. It is a baseline of CAST (ICLR 2024, arXiv 2210.00314).

    Args:
        arch (str | dict): 'small', 'base', or a dict as of MMPretrain's
            ``VisionTransformer``. Defaults to 'small'.
        img_size (int | tuple[int, int]): Size of the images that the fixed
            positions are made for. Defaults to 224.
        **kwargs: Options of MMPretrain's ``MoCoV3ViT``.

    Example:
        >>> arch = dict(embed_dims=48, num_layers=1, num_heads=4,
        ...             feedforward_channels=192)
        >>> model = MoCoV3ConvViT(arch, img_size=64)
        >>> model(torch.zeros(2, 3, 64, 64))[0].shape
        torch.Size([2, 48])
    """

    def __init__(self,
                 arch: str | dict = 'small',
                 img_size: int | tuple[int, int] = 224,
                 **kwargs) -> None:
        widths = dict(small=384, base=768)
        if arch in ('small', 'base'):
            arch = dict(
                embed_dims=widths[arch],
                num_layers=11,
                num_heads=12,
                feedforward_channels=4 * widths[arch])
        super().__init__(
            arch=arch, img_size=img_size, patch_size=16, **kwargs)
        self.patch_embed = _PatchStem(self.embed_dims, to_2tuple(img_size))
        self.patch_resolution = self.patch_embed.init_out_size
        table = torch.zeros(1, 1 + self.patch_resolution[0]
                            * self.patch_resolution[1], self.embed_dims)
        self.pos_embed = nn.Parameter(table, requires_grad=False)
        self.reset_parameters()
        self._freeze_stages()

    def init_weights(self) -> None:
        """Initialise the parameters, unless ``init_cfg`` loads them."""
        super(VisionTransformer, self).init_weights()
        cfgs = self.init_cfg or []
        cfgs = [cfgs] if isinstance(cfgs, dict) else cfgs
        if all(cfg.get('type') != 'Pretrained' for cfg in cfgs):
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as MoCo v3, with fixed sine-cosine positions."""
        self.patch_embed.reset_parameters()
        init_mocov3_(self)
        nn.init.normal_(self.cls_token, std=1e-6)
        self.pos_embed.data[:, 1:] = sincos_position_encoding(
            self.patch_resolution, self.embed_dims)
