"""Weights of Segmenter's mask transformer under its authors' names."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

# Parts of the authors' names -> ours. Matrices are used as tokens @ W there,
# transposed in our linear layers.
_PARTS = {
    'proj_dec.': 'dec_proj.',
    'blocks.': 'layers.',
    '.mlp.fc1.': '.mlp.layers.0.0.',
    '.mlp.fc2.': '.mlp.layers.1.',
    'proj_patch': 'patch_proj.weight',
    'proj_classes': 'classes_proj.weight',
}


def load_segmenter_weights(
        head: nn.Module, weights: Mapping[str, Tensor | np.ndarray]) -> None:
    """Load the weights of a mask transformer of Segmenter's authors.

    Args:
        head (SegmentMaskTransformerHead): Head to load them into.
        weights (Mapping[str, Tensor | np.ndarray]): By the authors' names:
            ``cls_emb``, ``proj_dec.*``, ``proj_patch``, ``proj_classes``,
            ``decoder_norm.*``, ``mask_norm.*`` and
            ``blocks.{i}.{norm1,norm2,attn.qkv,attn.proj,mlp.fc1,mlp.fc2}.*``.

    Raises:
        ValueError: If a weight is missing, unexpected, or of another shape.
    """
    converted = {}
    for name, value in weights.items():
        value = torch.as_tensor(value)
        if name in ('proj_patch', 'proj_classes'):
            value = value.t()
        for part, own in _PARTS.items():
            name = name.replace(part, own)
        converted[name] = value
    try:
        head.load_state_dict(converted)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
