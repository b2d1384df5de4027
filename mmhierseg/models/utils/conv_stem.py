"""Convolutional stems: pixels to features on a grid."""

import torch
from mmcv.cnn import ConvModule, build_conv_layer
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class ConvStem(BaseModule):
    """Four 3x3 convolutions with BN and ReLU, then a 1x1 convolution.

    Widths C/8, C/4, C/2, C; C must be a multiple of 8. With ``strides`` of 2,
    it is the stem of Xiao et al., "Early convolutions help transformers see
    better" (NeurIPS 2021); CAST's has half its stride.

    In evaluation without gradients, batch normalisation is folded into the
    weights of each call: that is faster by a fifth, and nothing can become
    outdated. :meth:`fold`, or folded weights
    (``tools/model_converters/fuse_stem.py``), do so for good; such a stem
    cannot be trained.
    """

    stride = 8

    def __init__(self,
                 embed_dims: int,
                 norm_cfg: dict | None = None,
                 strides: tuple[int, ...] = (2, 2, 2, 1)) -> None:
        super().__init__()
        if embed_dims % 8:
            raise ValueError(
                f'`embed_dims` must be a multiple of 8, got {embed_dims}')
        channels = [3] + [embed_dims // ratio for ratio in (8, 4, 2, 1)]
        layers = [
            ConvModule(
                channels[i],
                channels[i + 1],
                kernel_size=3,
                stride=stride,
                padding=1,
                bias=False,
                norm_cfg=norm_cfg or dict(type='BN'))
            for i, stride in enumerate(strides)
        ]
        self.layers = nn.Sequential(
            *layers, build_conv_layer(None, embed_dims, embed_dims, 1))
        self.reset_parameters()
        self._register_load_state_dict_pre_hook(self._take_folded)

    def reset_parameters(self) -> None:
        """Initialise the convolutions as PyTorch does, not as MMCV."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, ceil(H / stride), ceil(W / stride))."""
        return self.project(self.convolve(image))

    def convolve(self, image: Tensor) -> Tensor:
        """Apply the 3x3 convolutions, channels last."""
        if self.training and self.is_folded:
            raise RuntimeError(
                'the batch normalisation of this stem is folded, which is '
                'for inference only: to train, load the weights from before '
                'tools/model_converters/fuse_stem.py, or freeze the stem '
                '(frozen_stages=0)')
        x = image.contiguous(memory_format=torch.channels_last)
        for layer in list(self.layers)[:-1]:
            x = _folded(layer, x) if _can_fold(layer) else layer(x)
        return x

    def project(self, features: Tensor) -> Tensor:
        """Apply the 1x1 convolution, also to (B, C, N, 1) segment means.

        It is linear, and there are fewer segments than cells.
        """
        return self.layers[-1](features)

    @property
    def is_folded(self) -> bool:
        """bool: Whether normalisation is part of the convolutions."""
        return isinstance(self.layers[0].norm, nn.Identity)

    def fold(self) -> None:
        """Fold the batch normalisation into the convolutions, in place."""
        if self.is_folded:
            return
        if not isinstance(self.layers[0].norm, _BatchNorm):
            raise ValueError('only batch normalisation can be folded, got '
                             f'{type(self.layers[0].norm).__name__}')
        fuse_conv_bn(self.layers)

    def _take_folded(self, state_dict: dict, prefix: str, *_) -> None:
        """Fold this stem if the weights to load are folded."""
        if prefix + 'layers.0.conv.bias' in state_dict:
            self.fold()


def _can_fold(layer: ConvModule) -> bool:
    """Whether a layer is a convolution and a fixed affine map, no gradients.

    Modules that are replaced or hooked are called as they are.
    """
    conv, norm = layer.conv, layer.norm
    return (not torch.is_grad_enabled() and isinstance(norm, _BatchNorm)
            and not norm.training and norm.affine
            and norm.running_mean is not None and type(conv) is nn.Conv2d
            and not any(module._forward_pre_hooks or module._forward_hooks
                        for module in (layer, conv, norm)))


def _folded(layer: ConvModule, x: Tensor) -> Tensor:
    """Convolution, batch normalisation and activation of a layer, as one."""
    conv, norm = layer.conv, layer.norm
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight = conv.weight * factor[:, None, None, None]
    bias = norm.bias - norm.running_mean * factor
    # Normalisation may have stayed in float32.
    return layer.activate(
        nn.functional.conv2d(x, weight.to(conv.weight), bias.to(conv.weight),
                             conv.stride, conv.padding))
