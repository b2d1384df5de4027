"""Embedding of the pixels of a feature map, as in SegSort and HSG."""

from collections import OrderedDict
from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS


@MODELS.register_module()
class EmbeddingNeck(BaseModule):
    """Two 1x1 convolutions, the first with batch normalisation and ReLU.

    Embeddings are not normalised; losses and retrieval do that. Weights start
    from PyTorch's defaults.

    Args:
        in_channels (int): Channels of the feature map.
        out_channels (int): Channels D of the embedding.
        norm_cfg (dict, optional): Norm layer. Defaults to None:
            dict(type='BN').
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 norm_cfg: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        # Not a ConvModule, which would start from Kaiming's weights.
        _, norm = build_norm_layer(norm_cfg or dict(type='BN'), in_channels)
        self.hidden = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(in_channels, in_channels, 1, bias=False),
                bn=norm,
                activate=nn.ReLU(inplace=True)))
        self.out = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        """(V, C, h, w), or the last of several, to (V, D, h, w)."""
        features = inputs if isinstance(inputs, Tensor) else inputs[-1]
        return self.out(self.hidden(features))
