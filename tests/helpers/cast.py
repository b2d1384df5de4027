"""Tiny CASTs, inputs for them, and golden values of the authors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmhierseg._base.safe_load import load_plain_checkpoint
from mmhierseg.checkpoints.cast import convert_cast_checkpoint
from mmhierseg.models import CAST
from mmhierseg.registry import MODELS
from mmhierseg.structures import SegmentTokens

DATA = Path(__file__).parents[1] / 'data'
TINY = dict(
    arch=dict(embed_dims=48, depths=(2, 1, 1, 1), num_heads=4),
    img_size=64,
    num_clusters=(8, 6, 4, 2))
OUTPUTS = [
    dict(out_type='cls_token'),
    dict(out_type='cls_tokens'),
    dict(out_type='avg_segments'),
    dict(out_type='segments'),
    dict(out_type='featmap', out_indices=(0, 1, 2, 3, 'fused')),
]
each_output = pytest.mark.parametrize(
    'options', OUTPUTS, ids=lambda options: options['out_type'])


def tiny_cast(seed=0, **options):
    """A small CAST with seeded weights and nontrivial batch statistics."""
    torch.manual_seed(seed)
    return shake_statistics(CAST(**{**TINY, **options})).eval()


def shake_statistics(model):
    """Random running statistics of batch normalisation."""
    for norm in model.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 1.5)
    return model


class LargestTensor(TorchDispatchMode):
    """Bytes of the results of operators; those of expanded tensors too."""

    def __enter__(self):
        super().__enter__()
        self.all, self.floating = [], []
        return self

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            size = result.untyped_storage().nbytes()
            self.all.append(size)
            if result.is_floating_point():
                self.floating.append(size)
        return result


def tensors(out):
    """All floating-point tensors of a forward's result."""
    if isinstance(out[0], SegmentTokens):
        return [out[0].cls_token, out[0].tokens]
    return list(out)


def block_labels(height, width, side):
    """(H, W) float labels of square blocks, numbered in rows."""
    rows = torch.arange(height) // side
    columns = torch.arange(width) // side
    return (rows[:, None] * (columns.max() + 1) + columns).float()


def random_inputs(batch=2, height=64, width=96, side=16, seed=0):
    """(B, 4, H, W) noise and blocks."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, 3, height, width, generator=generator)
    labels = block_labels(height, width, side).expand(batch, 1, -1, -1)
    return torch.cat([image, labels], dim=1)


def golden(name):
    """Output of the authors' implementation, and input (RGBS)."""
    values = np.load(DATA / f'{name}.npz')
    meta = json.loads(str(values['meta']))
    mean, std = (torch.tensor(meta[key]).view(3, 1, 1)
                 for key in ('mean', 'std'))
    image = torch.from_numpy(values['image']).permute(0, 3, 1, 2)
    labels = torch.from_numpy(values['superpixels']).float()[:, None]
    return values, torch.cat([(image - mean) / std, labels], dim=1)


def golden_model(checkpoint, **options):
    """The fixture's weights in a CAST, loaded strictly."""
    converted = convert_cast_checkpoint(load_plain_checkpoint(DATA /
                                                              checkpoint))
    model = MODELS.build(
        dict(converted.options, num_clusters=TINY['num_clusters'], **options))
    model.load_state_dict({
        key[len('backbone.'):]: value
        for key, value in converted.state_dict.items()
        if key.startswith('backbone.')
    })
    return model.eval()
