"""Embedding of the pixels of a feature map, as in SegSort and HSG."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.registry import MODELS


@MODELS.register_module()
class EmbeddingNeck(BaseModule):
    """Two 1x1 convolutions, the first with batch normalisation and ReLU.

    Embeddings are not normalised; losses and retrieval do that.

    Args:
        in_channels (int): Channels of the feature map.
        out_channels (int): Channels D of the embedding.
        hidden_channels (int, optional): Channels between the convolutions.
            Defaults to None: ``in_channels``.
        norm_cfg (dict, optional): Norm layer. Defaults to None:
            dict(type='BN').
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Example:
        >>> import torch
        >>> neck = EmbeddingNeck(in_channels=6, out_channels=4)
        >>> neck((torch.rand(2, 3, 8, 8), torch.rand(2, 6, 4, 4))).shape
        torch.Size([2, 4, 4, 4])
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 hidden_channels: int | None = None,
                 norm_cfg: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        hidden_channels = hidden_channels or in_channels
        self.hidden = ConvModule(
            in_channels,
            hidden_channels,
            1,
            norm_cfg=norm_cfg or dict(type='BN'))
        self.out = nn.Conv2d(hidden_channels, out_channels, 1)

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> Tensor:
        """(V, C, h, w), or the last of several, to (V, D, h, w)."""
        features = inputs if isinstance(inputs, Tensor) else inputs[-1]
        return self.out(self.hidden(features))
