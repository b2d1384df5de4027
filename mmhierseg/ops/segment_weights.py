"""Means of a feature map over the segments of a label map.

CAST, Sec. 3.1: a segment token is the mean of the convolutional features, on
a coarse grid, over a superpixel. It is linear in the grid cells, so the map at
pixel resolution is never formed. All pixels between the same cell centres, a
*block*, are interpolated from the same cells, so weights are kept for each
pair of a segment and a block that it has pixels in: about ten per superpixel,
whatever the image size. Where counting the pairs would stop a GPU or a traced
graph, the map is a matrix; a large one comes in strips, computed again for the
gradient.

Legend: B images, N segments, C channels, h x w grid cells, H x W pixels, P
pairs, T taps (cells that a pixel is interpolated from). Labels are int64,
-1 = none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .checks import check_labels, is_exporting, reads_are_free, wide
from .label_sums import count_labels, sum_by_index

# Numbers in one strip of the matrix: 64 MiB of float32.
_STRIP_NUMEL = 1 << 24
# Keys' cubic convolution parameter as ``interpolate`` has it.
CUBIC_A = -0.75


def segment_sizes(labels: Tensor, num_segments: int) -> Tensor:
    """Number of pixels of each segment.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.

    Returns:
        Tensor: (B, N) int64.
    """
    check_labels(labels, num_segments)
    return count_labels(labels.flatten(1), num_segments)


def segment_mean(features: Tensor,
                 labels: Tensor,
                 num_segments: int,
                 mode: str = 'bilinear') -> tuple[Tensor, Tensor]:
    """Mean over each segment of features interpolated to the label map.

    Args:
        features (Tensor): (B, C, h, w) float, or (1, C, h, w) for all images
            alike; summed in at least float32.
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        mode (str): 'bilinear' or 'bicubic', as in
            ``interpolate(align_corners=False)``; no effect where sizes agree.

    Returns:
        tuple[Tensor, Tensor]: Means (B, N, C), float32 or wider, zero for
        empty segments; and (B, N) bool, True where a segment has no pixel.

    Example:
        >>> features = torch.tensor([[[[1., 2.], [3., 4.]]]])
        >>> labels = torch.tensor([[[0, 0], [0, 2]]])
        >>> segment_mean(features, labels, num_segments=3)
        (tensor([[[2.],
                 [0.],
                 [4.]]]), tensor([[False,  True, False]]))
    """
    check_labels(labels, num_segments)
    if features.dim() != 4 or features.size(0) not in (1, labels.size(0)):
        raise ValueError(
            f'`features` must have shape (B, C, h, w) with B = '
            f'{labels.size(0)} or 1, got {tuple(features.shape)}')
    count = segment_sizes(labels, num_segments)
    with torch.autocast(features.device.type, enabled=False):
        features = wide(features)
        if features.shape[2:] == labels.shape[1:]:
            rows = features.flatten(2).transpose(1, 2).expand(
                labels.size(0), -1, -1)
            sums = sum_by_index(rows, labels.flatten(1), num_segments)
            means = sums / count.clamp(min=1)[..., None]
        elif reads_are_free(features):
            means = mean_by_pairs(features, labels, count, mode)
        else:
            means = mean_by_matrix(features, labels, count, mode)
    return means, count == 0


def segment_matrix(labels: Tensor,
                   num_segments: int,
                   grid_size: tuple[int, int],
                   mode: str = 'bilinear') -> tuple[Tensor, Tensor]:
    """The linear map from grid cells to means over segments, as a matrix.

    Args:
        labels (Tensor): (B, H, W) int64 in [-1, N - 1], -1 = none.
        num_segments (int): N, at least 1.
        grid_size (tuple[int, int]): (h, w) of the features.
        mode (str): 'bilinear' or 'bicubic'; see :func:`segment_mean`.

    Returns:
        tuple[Tensor, Tensor]: The float32 matrix, (B, N, h w), rows sum to 1
        (to 0 for an empty segment); and (B, N) bool, True for those.
    """
    count = segment_sizes(labels, num_segments)
    matrix = _strip(labels, count, grid_size, mode, torch.float32,
                    range(grid_size[0]))
    return matrix, count == 0


def interpolation_taps(in_size: int,
                       out_size: int,
                       mode: str,
                       dtype: torch.dtype,
                       device: torch.device | None = None
                       ) -> tuple[Tensor, Tensor]:
    """Cells (out_size, T) and weights that ``interpolate`` has for an axis."""
    if mode not in ('bilinear', 'bicubic'):
        raise ValueError(
            f"`mode` must be 'bilinear' or 'bicubic', got {mode!r}")
    out = torch.arange(out_size, device=device, dtype=dtype)
    if in_size == out_size:
        return out.long()[:, None], torch.ones_like(out)[:, None]
    source = (out + 0.5) * (in_size / out_size) - 0.5
    if mode == 'bilinear':
        # ``interpolate`` clamps the source of the linear kernel at zero.
        source = source.clamp(min=0)
    left = source.floor()
    t = source - left
    if mode == 'bilinear':
        weights = [1 - t, t]
    else:
        weights = [_far(1 + t), _near(t), _near(1 - t), _far(2 - t)]
    offsets = torch.arange(len(weights), device=device) - len(weights) // 2 + 1
    index = left.long()[:, None] + offsets
    return index.clamp(0, in_size - 1), torch.stack(weights, dim=1)


def mean_by_matrix(features: Tensor, labels: Tensor, count: Tensor,
                   mode: str) -> Tensor:
    """(B, N, C) means of (B or 1, C, h, w) features, without reads."""
    height, width = features.shape[2:]
    # In an exported graph the size of the batch is not known.
    step = height if is_exporting() else max(
        1, _STRIP_NUMEL // (count.numel() * width))

    def product(cells: Tensor, start: int) -> Tensor:
        strip = range(start, min(start + step, height))
        return _strip(labels, count, (height, width), mode, cells.dtype,
                      strip) @ cells.flatten(2).transpose(1, 2)

    if step >= height:
        return product(features, 0)
    # Without checkpoints all strips would be kept for the gradient.
    return sum(
        checkpoint(
            product, features[:, :, start:start + step], start,
            use_reentrant=False, preserve_rng_state=False)
        for start in range(0, height, step))


def mean_by_pairs(features: Tensor, labels: Tensor, count: Tensor,
                  mode: str) -> Tensor:
    """As :func:`mean_by_matrix`, by the weights of pairs."""
    batch, num_segments = count.shape
    height, width = features.shape[2:]
    rows, row, row_weight = _blocks(height, labels.size(1), mode,
                                    features.dtype)
    columns, column, column_weight = _blocks(width, labels.size(2), mode,
                                             features.dtype)
    # The segments of all images in one row; pixels without one at its end.
    num_bags = batch * num_segments
    bag = labels + num_segments * torch.arange(batch)[:, None, None]
    bag = torch.where(labels < 0, num_bags, bag)
    num_blocks = len(rows) * len(columns)
    block = row[:, None] * len(columns) + column
    pairs, pair = (bag * num_blocks + block).flatten().unique(
        return_inverse=True)
    bag, block = pairs // num_blocks, pairs % num_blocks
    # (P, T) sums over the pixels of each pair.
    weight = torch.stack([
        torch.zeros(len(pairs), dtype=i.dtype).index_add_(
            0, pair, (i[:, None] * j).flatten().repeat(batch))
        for i in row_weight.unbind(1) for j in column_weight.unbind(1)
    ], dim=1)
    # Of integers, `reciprocal` would be float32.
    share = F.pad(count.flatten().to(weight.dtype), (0, 1)).clamp(min=1)
    weight = weight * share.reciprocal()[bag, None]
    cell = (rows[block // len(columns), :, None] * width +
            columns[block % len(columns), None]).flatten(1)
    if features.size(0) > 1:
        cell = cell + (bag // num_segments).clamp(
            max=batch - 1)[:, None] * (height * width)
    first = torch.searchsorted(bag, torch.arange(num_bags + 1))
    means = F.embedding_bag(
        cell.flatten(),
        # Rows that are not contiguous are added many times slower.
        features.permute(0, 2, 3, 1).flatten(0, 2).contiguous(),
        first * cell.size(1),
        mode='sum',
        per_sample_weights=weight.flatten())
    return means[:-1].view(batch, num_segments, -1)


def _blocks(in_size: int, out_size: int, mode: str,
            dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Blocks of an axis: (blocks, T) cells, block and weights of positions."""
    cells, weight = interpolation_taps(in_size, out_size, mode, dtype)
    return *cells.unique(dim=0, return_inverse=True), weight


def _strip(labels: Tensor, count: Tensor, grid_size: tuple[int, int],
           mode: str, dtype: torch.dtype, strip: range) -> Tensor:
    """(B, N, cells of some rows of the grid): columns of the matrix."""
    height, width = grid_size
    num_rows = len(strip)
    batch, num_segments = count.shape
    device = labels.device
    rows, row_weight = interpolation_taps(
        height, labels.size(1), mode, dtype, device)
    columns, column_weight = interpolation_taps(
        width, labels.size(2), mode, dtype, device)
    if num_rows < height:
        # Pixels further away than the widest kernel have no part in it.
        scale = labels.size(1) / height
        near = slice(max(int((strip.start - 3) * scale), 0),
                     int((strip.stop + 3) * scale) + 1)
        labels, rows = labels[:, near], rows[near]
        inside = (rows >= strip.start) & (rows < strip.stop)
        row_weight = row_weight[near] * inside
        rows = (rows - strip.start).clamp(0, num_rows - 1)
    segment = labels.clamp(min=0) + num_segments * torch.arange(
        batch, device=device)[:, None, None]
    share = count.to(dtype).clamp(min=1).reciprocal().flatten()[segment]
    share = share * (labels >= 0)
    first = segment * (num_rows * width)
    matrix = share.new_zeros(batch * num_segments * num_rows * width)
    # At most 4 x 4 taps, each over all pixels of the batch at once.
    for i in range(rows.size(1)):
        row_share = share * row_weight[:, i, None]
        row_first = first + rows[:, i, None] * width
        for j in range(columns.size(1)):
            matrix.scatter_add_(0, (row_first + columns[:, j]).flatten(),
                                (row_share * column_weight[:, j]).flatten())
    return matrix.view(batch, num_segments, -1)


def _near(x: Tensor) -> Tensor:
    """Cubic kernel for distances in [0, 1]."""
    return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1


def _far(x: Tensor) -> Tensor:
    """Cubic kernel for distances in [1, 2]."""
    return ((CUBIC_A * x - 5 * CUBIC_A) * x + 8 * CUBIC_A) * x - 4 * CUBIC_A
