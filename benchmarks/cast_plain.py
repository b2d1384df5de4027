"""CAST written down plainly, as the paper describes it, to be compared with.

The weights are the package's. Attention writes its matrix out, the stem's last
layer is applied to all cells, every stage is pooled, tokens without pixels
take part (``mask_empty=False``, as published), and AdamW is PyTorch's default.
Sampling is the package's.

Legend: B images, N tokens, C channels, h x w cells.
"""

from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.steps import Step
from mmhierseg.models import CAST, GraphPooling
from mmhierseg.models.utils import MaskedSelfAttention
from mmhierseg.ops import farthest_point_sampling

__all__ = ['PlainStep', 'forward']


class PlainStep(Step):
    """A step whose backbone is CAST written down plainly."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        if self.optim_wrapper is not None:
            for group in self.optim_wrapper.optimizer.param_groups:
                group['fused'] = False

    def __call__(self) -> object:
        """Do one step; predictions or losses."""
        with mock.patch.object(CAST, 'forward', forward):
            return super().__call__()


def forward(self: CAST, inputs: Tensor) -> tuple[Tensor, ...]:
    """Stand in for :meth:`CAST.forward` where it returns the class token."""
    cls_token, x, empty = _tokenize(self, inputs[:, :3], inputs[:, 3].long())
    for blocks, pool in zip(self.stages, self.pools):
        x = torch.cat([cls_token[:, None], x], dim=1)
        for block in blocks:
            x = x + block.drop_path(_attend(block.attn, block.norm1(x)))
            x = x + block.drop_path(block.mlp(block.norm2(x)))
        last = x[:, 0]
        cls_token, x = _pool(pool, last, x[:, 1:], empty)
        empty = None
    return (self.norm(last), )


def _tokenize(self: CAST, image: Tensor,
              labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, C) class token, (B, N, C) means over segments, (B, N) empty."""
    x = image
    for layer in self.tokenizer.stem.layers:
        x = layer(x)
    size = x.shape[2:]
    table = self.tokenizer.pos_embed
    x = x.flatten(2).transpose(1, 2) + table[:, 1:]
    labels = F.interpolate(labels[:, None].float(), size=size)
    member = F.one_hot(labels.flatten(1).long(), int(labels.max()) + 1)
    member = member.to(x.dtype).transpose(1, 2)
    sizes = member.sum(dim=2, keepdim=True)
    means = member @ x / sizes.clamp(min=1)
    cls_token = (self.cls_token + table[:, :1]).expand(len(x), 1, -1)
    return cls_token[:, 0], means.to(table.dtype), sizes[..., 0] == 0


def _attend(attention: MaskedSelfAttention, x: Tensor) -> Tensor:
    batch, number, channels = x.shape
    qkv = attention.qkv(x).reshape(batch, number, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    weight = query @ key.transpose(-2, -1) * query.size(-1)**-0.5
    x = (weight.softmax(dim=-1) @ value).transpose(1, 2)
    return attention.proj_drop(
        attention.proj(x.reshape(batch, number, channels)))


def _pool(pool: GraphPooling, cls_token: Tensor, x: Tensor,
          empty: Tensor | None) -> tuple[Tensor, Tensor]:
    sampled = farthest_point_sampling(x, pool.num_clusters, empty,
                                      pick_empty=True)
    index = sampled[..., None].expand(-1, -1, x.size(2))
    group = pool.grouping
    u = x + _attend(group.attn, group.norm(x))
    u = F.normalize(u - u.mean(dim=1, keepdim=True) + group.bias, dim=2)
    assigned = (5 * u @ u.gather(1, index).transpose(1, 2)).softmax(dim=2)
    y = pool.expand(torch.cat([cls_token[:, None], x], dim=1))
    share = assigned / assigned.sum(dim=1, keepdim=True)
    means = share.transpose(1, 2).to(y.dtype) @ y[:, 1:]
    z = pool.project(torch.cat([y[:, :1], means], dim=1))
    return z[:, 0] + cls_token, z[:, 1:] + x.gather(1, index)
