"""Weights of Segmenter's mask transformer, as its authors name them."""

from typing import TYPE_CHECKING, Mapping, Union

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .segment_mask_transformer_head import SegmentMaskTransformerHead

# Authors' part of a name -> ours. The two matrices are dealt with apart.
_PARTS = {
    'proj_dec.': 'dec_proj.',
    'blocks.': 'layers.',
    '.mlp.fc1.': '.mlp.layers.0.0.',
    '.mlp.fc2.': '.mlp.layers.1.',
}
# They multiply from the right, tokens @ W, and linear layers by the transpose.
_MATRICES = {
    'proj_patch': 'patch_proj.weight',
    'proj_classes': 'classes_proj.weight',
}


def load_segmenter_weights(
        head: 'SegmentMaskTransformerHead',
        weights: Mapping[str, Union[Tensor, np.ndarray]]) -> None:
    """Load the weights of a mask transformer of Segmenter's authors.

    Args:
        head (SegmentMaskTransformerHead): What to load them into.
        weights (Mapping[str, Tensor | np.ndarray]): By the authors' names:
            ``cls_emb``, ``proj_dec.*``, ``proj_patch``, ``proj_classes``,
            ``decoder_norm.*``, ``mask_norm.*`` and
            ``blocks.{i}.{norm1,norm2,attn.qkv,attn.proj,mlp.fc1,mlp.fc2}.*``.

    Raises:
        ValueError: If a weight is missing, left over, or of another shape.
    """
    converted = {
        _rename(name): _convert(name, value)
        for name, value in weights.items()
    }
    expected = head.state_dict()
    missing = sorted(set(expected) - set(converted))
    unexpected = sorted(name for name in weights
                        if _rename(name) not in expected)
    wrong = [
        f'{name}: {tuple(converted[name].shape)} for {tuple(value.shape)}'
        for name, value in expected.items()
        if name in converted and converted[name].shape != value.shape
    ]
    if missing or unexpected or wrong:
        raise ValueError(
            '`weights` must be those of a mask transformer of this size\n'
            f'  missing: {missing}\n  unexpected: {unexpected}\n'
            f'  of another shape: {wrong}')
    head.load_state_dict(converted)


def _rename(name: str) -> str:
    if name in _MATRICES:
        return _MATRICES[name]
    for part, own in _PARTS.items():
        name = name.replace(part, own)
    return name


def _convert(name: str, value: Union[Tensor, np.ndarray]) -> Tensor:
    value = torch.as_tensor(value)
    return value.t() if name in _MATRICES and value.dim() == 2 else value
