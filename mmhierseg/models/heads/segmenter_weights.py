"""Weights of Segmenter's mask transformer under its authors' names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .segment_mask_transformer_head import SegmentMaskTransformerHead

# Parts of the authors' names -> ours.
_PARTS = {
    'proj_dec.': 'dec_proj.',
    'blocks.': 'layers.',
    '.mlp.fc1.': '.mlp.layers.0.0.',
    '.mlp.fc2.': '.mlp.layers.1.',
}
# Used as tokens @ W there, transposed in our linear layers.
_MATRICES = {
    'proj_patch': 'patch_proj.weight',
    'proj_classes': 'classes_proj.weight',
}


def load_segmenter_weights(
        head: 'SegmentMaskTransformerHead',
        weights: Mapping[str, Tensor | np.ndarray]) -> None:
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
    expected = head.state_dict()
    converted, unexpected = {}, []
    for original, value in weights.items():
        name, value = original, torch.as_tensor(value)
        if name in _MATRICES:
            name = _MATRICES[name]
            value = value.t() if value.dim() == 2 else value
        for part, own in _PARTS.items():
            name = name.replace(part, own)
        converted[name] = value
        if name not in expected:
            unexpected.append(original)
    missing = sorted(set(expected) - set(converted))
    wrong = [
        f'{name}: {tuple(converted[name].shape)} for {tuple(value.shape)}'
        for name, value in expected.items()
        if name in converted and converted[name].shape != value.shape
    ]
    if missing or unexpected or wrong:
        raise ValueError(
            '`weights` must be those of a mask transformer of this size\n'
            f'  missing: {missing}\n  unexpected: {sorted(unexpected)}\n'
            f'  of another shape: {wrong}')
    head.load_state_dict(converted)
