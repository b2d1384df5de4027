"""From pixels to segment tokens: CAST's convolutional stem and positions.

CAST (arXiv 2210.00314), Sec. 3.1: a token is the mean over a superpixel of
convolutional features plus the mean of positional encodings.

Legend: B images, N segments, C channels, H x W pixels, h x w cells of the
stem's grid (stride 8). Labels are int64, -1 = none.
"""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmhierseg.ops import (
    compact_labels,
    resize_position_encoding,
    segment_mean,
    segment_sizes,
    sincos_position_encoding,
)
from mmhierseg.ops.checks import reads_are_free

from ..utils import ConvStem


class TokenizedSegments(NamedTuple):
    """Segment tokens of a batch of images."""

    tokens: Tensor
    """(B, N, C), N at least 1."""
    labels: Tensor
    """(B, H, W) int64: row of ``tokens`` of every pixel, -1 = none."""
    empty: Tensor | None
    """(B, N) bool: tokens without a segment in the image, or whose segment has
    no cell where features are averaged; None = no token is empty."""
    fewest: int
    """Smallest number of non-empty tokens in an image, 0 if not read."""


class SegmentTokenizer(BaseModule):
    """Computes mean features and positions of the segments of a label map.

    Features are averaged at the 'stem' (labels are sampled at its grid, each
    cell's top-left pixel) or per 'pixel' (features and positions are
    interpolated to the label map). With ``mask_empty``, labels are numbered
    compactly for each image. Quirk: without, there is a token for every number
    up to the largest in the batch, as in the authors' code. ``num_tokens`` is
    a fixed N; see :class:`~mmhierseg.models.CAST`.
    """

    def __init__(self, embed_dims: int, grid_size: tuple[int, int],
                 pos_embed: str, segment_at: str, mask_empty: bool,
                 norm_cfg: dict, num_tokens: int | None) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.segment_at = segment_at
        self.mask_empty = mask_empty
        self.num_tokens = num_tokens
        self.stem = ConvStem(embed_dims, norm_cfg)
        # (1, 1 + h w, C), the class token's entry first.
        table = torch.zeros(1, 1 + grid_size[0] * grid_size[1], embed_dims)
        if pos_embed == 'sincos':
            table[:, 1:] = sincos_position_encoding(grid_size, embed_dims)
            self.register_buffer('pos_embed', table)
        else:
            self.pos_embed = nn.Parameter(table)
        # The table alone does not determine (h, w).
        self.register_buffer('pos_grid', torch.tensor(grid_size))
        self._register_load_state_dict_pre_hook(self._resize_pos_embed)

    def forward(self, image: Tensor, labels: Tensor,
                num_labels: int | None) -> TokenizedSegments:
        """Tokens of (B, 3, H, W) images and (B, H, W) int64 labels, -1 = none.

        ``num_labels`` is the largest label plus 1, None if it was not read.
        """
        if self.num_tokens is None:
            labels, num_segments, fewest = self._number(labels, num_labels)
        else:
            labels = self._number_unread(labels)
            num_segments, fewest = self.num_tokens, 0
        tokens, empty = self._average(
            self.stem.convolve(image), labels, num_segments)
        if self.mask_empty and fewest == num_segments:
            empty = None
        # Sums are float32; weights of a model in half precision are not.
        tokens = tokens.to(self.pos_embed.dtype)
        return TokenizedSegments(tokens, labels, empty, fewest)

    def _number(self, labels: Tensor,
                num_labels: int) -> tuple[Tensor, int, int]:
        """Token of every pixel, N, and the smallest number in an image."""
        num_pixels = labels[0].numel()
        if not self.mask_empty:
            if num_labels > num_pixels:
                raise ValueError(
                    'channel 3 of `inputs` (the segment map) must hold labels '
                    f'below the number of pixels ({num_pixels}) when '
                    f'`mask_empty=False`, got {num_labels - 1}: number the '
                    'segments of each image from 0')
            return labels, max(num_labels, 1), max(num_labels, 1)
        labels, counts = compact_labels(labels, num_labels)
        bound = max(1, min(num_labels, num_pixels))
        has_token = segment_sizes(self._sampled(labels), bound) > 0
        # One read for both numbers: each synchronises with a GPU.
        most, fewest = torch.stack(
            [counts.max(), has_token.sum(dim=1).min()]).tolist()
        return labels, max(most, 1), fewest

    def _number_unread(self, labels: Tensor) -> Tensor:
        """Token of every pixel, without reading from a GPU."""
        # Size of the lookup table of labels.
        num_pixels = labels[0].numel()
        _require(labels.amax() < num_pixels,
                 'channel 3 of `inputs` (the segment map) must hold labels '
                 f'below the number of pixels ({num_pixels}) with a fixed '
                 'number of tokens: number the segments of each image from 0')
        labels, counts = compact_labels(labels, num_pixels)
        _require(counts.amax() <= self.num_tokens,
                 'an image has more segments than `num_tokens` = '
                 f'{self.num_tokens}: raise it, or use larger segments')
        return labels

    def _sampled(self, labels: Tensor) -> Tensor:
        """Labels of the cells or pixels that features are averaged over."""
        if self.segment_at == 'pixel':
            return labels
        return labels[:, ::ConvStem.stride, ::ConvStem.stride]

    def _average(self, features: Tensor, labels: Tensor,
                 num_segments: int) -> tuple[Tensor, Tensor]:
        """(B, N, C) means of features plus positions, (B, N) empty."""
        size = features.shape[2:]
        sampled = self._sampled(labels)
        means, empty = segment_mean(features, sampled, num_segments)
        table = self.pos_embed[:, 1:]
        # The stem's last layer is linear, so it can follow the averaging.
        means = means.to(table.dtype)
        means = self.stem.project(means.transpose(1, 2)[..., None])
        means = means[..., 0].transpose(1, 2)
        if self.segment_at == 'stem':
            table = resize_position_encoding(
                table, self.grid_size, size, num_extra_tokens=0)
        # Positions are interpolated to the label map directly, not by way of
        # the stem's grid.
        positions = table.transpose(1, 2).unflatten(
            2, size if self.segment_at == 'stem' else self.grid_size)
        positions, _ = segment_mean(positions, sampled, num_segments,
                                    'bicubic')
        # An empty segment's token is zero, not the last layer's bias.
        tokens = means.to(positions.dtype).masked_fill(empty[..., None], 0)
        return tokens + positions, empty

    def _resize_pos_embed(self, state_dict: dict, prefix: str, *_) -> None:
        """Resize the positions of a checkpoint to this model's image size."""
        table = state_dict.get(prefix + 'pos_embed')
        if table is None:
            return
        source = state_dict.get(prefix + 'pos_grid')
        # Tables without a grid are of square images.
        side = round((table.size(1) - 1)**0.5)
        source = (side, side) if source is None else tuple(source.tolist())
        if table.size(1) != 1 + source[0] * source[1]:
            raise ValueError(
                f'the checkpoint has positions ({prefix}pos_embed) of '
                f'{table.size(1) - 1} cells but not their grid: add '
                f'{prefix}pos_grid, the (height, width) of its images '
                'divided by 8, to its state_dict')
        state_dict[prefix + 'pos_embed'] = resize_position_encoding(
            table, source, self.grid_size)
        state_dict[prefix + 'pos_grid'] = self.pos_grid


def _require(condition: Tensor, message: str) -> None:
    """Raise an error, or where that would synchronise, a device assertion."""
    if not reads_are_free(condition):
        torch._assert_async(condition, message)
    elif not condition:
        raise ValueError(message)
