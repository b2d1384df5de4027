"""Means of a feature map over the segments of a label map.

CAST, Sec. 3.1: a segment token is the mean of the convolutional features, on
a coarse grid, over a superpixel. It is linear in the grid cells, so the map at
pixel resolution is never formed. All pixels between the same cell centres, a
*block*, are interpolated from the same cells, so weights are kept for each
pair of a segment and a block that it has pixels in: about ten per superpixel,
whatever the image size. Where counting the pairs would stop a GPU or a traced
graph, there is room for as many as there are pixels, and a small map is a
dense matrix.

Legend: B images, N segments, C channels, h x w grid cells, H x W pixels, P
pairs, T taps (cells that a pixel is interpolated from). Labels are int64,
-1 = none. The *bags* that ``embedding_bag`` adds up are the B N segments of
all images or, for the gradient, the cells.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .checks import check_labels, is_exporting, reads_are_free, wide
from .label_sums import count_labels, sum_by_index

# Numbers in the largest matrix: 64 MiB of float32.
_MATRIX_NUMEL = 1 << 24
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
        elif _prefers_matrix(features, count):
            means = mean_by_matrix(features, labels, count, mode)
        else:
            means = mean_by_pairs(features, labels, count, mode)
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
    matrix = _matrix(labels, count, grid_size, mode, torch.float32)
    return matrix, count == 0


def _prefers_matrix(features: Tensor, count: Tensor) -> bool:
    """Whether means come by a matrix: in graphs to be saved, or if small."""
    if is_exporting() or torch.jit.is_tracing():
        return True
    numel = count.numel() * features.size(2) * features.size(3)
    return numel <= _MATRIX_NUMEL and not reads_are_free(features)


def mean_by_matrix(features: Tensor, labels: Tensor, count: Tensor,
                   mode: str) -> Tensor:
    """(B, N, C) means of (B or 1, C, h, w) features, by a dense matrix."""
    matrix = _matrix(labels, count, features.shape[2:], mode, features.dtype)
    return matrix @ features.flatten(2).transpose(1, 2)


def mean_by_pairs(features: Tensor, labels: Tensor, count: Tensor,
                  mode: str) -> Tensor:
    """As :func:`mean_by_matrix`, by the weights of pairs."""
    batch, num_segments = count.shape
    images, _, height, width = features.shape
    axes = [
        _axis(*sizes, mode, features.dtype, features.device)
        for sizes in zip((height, width), labels.shape[1:])
    ]
    (rows, row, row_weight), (columns, column, column_weight) = axes
    num_blocks = len(rows) * len(columns)
    pair, bag, block = _pairs(labels, row[:, None] * len(columns) + column,
                              num_segments, num_blocks)
    cells = torch.stack([(i[:, None] * width + j).flatten()
                         for i in rows.unbind(1) for j in columns.unbind(1)])
    if images > 1:
        image = torch.arange(images, device=cells.device)[:, None]
        cells = (cells[:, None] + image * (height * width)).flatten(1)
        block = block + bag // num_segments % images * num_blocks
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    add = _add_pairs if reads_are_free(pair) else _SumByPairs.apply
    sums = add(rows, bag, block, cells.to(block.dtype), count.numel(), pair,
               row_weight, column_weight)
    return sums.view(batch, num_segments, -1) / count.clamp(min=1)[..., None]


def _pairs(labels: Tensor, block: Tensor, num_segments: int,
           num_blocks: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pair of each pixel; bag and block (P,) of each pair, sorted.

    Bag B N, at the end, has the pixels without a label and, where pairs cannot
    be counted, the surplus.
    """
    num_bags = len(labels) * num_segments
    last = num_bags * num_blocks
    dtype = torch.int32 if last < 2**31 else torch.int64
    image = torch.arange(len(labels), dtype=dtype, device=labels.device)
    bag = labels.to(dtype) + image[:, None, None] * num_segments
    key = torch.where(labels < 0, last, bag * num_blocks + block.to(dtype))
    key, order = key.flatten().sort()
    rank = F.pad(key[1:] != key[:-1], (1, 0)).cumsum(0)
    number = int(rank[-1]) + 1 if reads_are_free(key) else len(key)
    pairs = key.new_full((number, ), last).scatter_(0, rank, key)
    pair = key.scatter_(0, order, rank.to(dtype))
    return pair, pairs // num_blocks, pairs % num_blocks


def _add_pairs(features: Tensor, bag: Tensor, block: Tensor, cells: Tensor,
               num_bags: int, *weights: Tensor) -> Tensor:
    """(B N, C) weighted sums of (cells, C) features over counted pairs."""
    weight = torch.stack(
        [_weight(i, len(bag), *weights) for i in range(len(cells))], dim=1)
    first = torch.searchsorted(
        bag, torch.arange(num_bags + 1, dtype=bag.dtype))
    # Rows that are not contiguous are added many times slower.
    return F.embedding_bag(
        cells.index_select(1, block).t().flatten(),
        features.contiguous(), (first * len(cells)).to(bag.dtype),
        mode='sum', per_sample_weights=weight.flatten())[:-1]


class _SumByPairs(torch.autograd.Function):
    """As :func:`_add_pairs`, where pairs are not counted.

    On a GPU the gradient that ``embedding_bag`` has takes a row of C numbers
    for every ten pairs, surplus ones as well. Here it is a sum over bags, too.
    """

    @staticmethod
    def forward(ctx, features: Tensor, bag: Tensor, block: Tensor,
                cells: Tensor, num_bags: int, *weights: Tensor) -> Tensor:
        ctx.num_cells = len(features)
        ctx.save_for_backward(bag, block, cells, *weights)
        features = features.contiguous()
        offsets = _offsets(bag, num_bags)
        sums = features.new_zeros(num_bags, features.size(1))
        for i, cell in enumerate(cells):
            sums += _add_bags(features, cell.index_select(0, block), offsets,
                              _weight(i, len(bag), *weights), num_bags)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        bag, block, cells, *weights = ctx.saved_tensors
        num_bags, num_cells = len(grad), ctx.num_cells
        grad = grad.contiguous()
        result = grad.new_zeros(num_cells, grad.size(1))
        for i, cell in enumerate(cells):
            cell = cell.index_select(0, block)
            cell = torch.where(bag < num_bags, cell, num_cells)
            cell, order = cell.sort()
            # To save memory the weights are computed again.
            weight = _weight(i, len(bag), *weights)
            result += _add_bags(
                grad, bag.clamp(max=num_bags - 1)[order],
                _offsets(cell, num_cells), weight[order], num_cells)
        return result, *[None] * 7


def _weight(tap: int, num_pairs: int, pair: Tensor, row_weight: Tensor,
            column_weight: Tensor) -> Tensor:
    """(P,) sums of a tap's weights over the pixels of each pair."""
    i, j = divmod(tap, column_weight.size(1))
    weight = (row_weight[:, i, None] * column_weight[:, j]).flatten()
    return weight.new_zeros(num_pairs).index_add_(
        0, pair, weight.repeat(len(pair) // len(weight)))


def _offsets(bag: Tensor, num_bags: int) -> Tensor:
    """Where the bags of sorted pairs begin; further ones take the surplus.

    They are many, because a GPU adds up a bag one pair after the other.
    """
    first = torch.searchsorted(
        bag, torch.arange(num_bags + 1, dtype=bag.dtype, device=bag.device))
    extra = len(bag) // 1024 + 1
    surplus = (len(bag) - first[-1]) * torch.arange(extra, device=bag.device)
    return torch.cat([first[:-1], first[-1] + surplus // extra]).to(bag.dtype)


def _add_bags(rows: Tensor, index: Tensor, offsets: Tensor, weight: Tensor,
              num_bags: int) -> Tensor:
    """(bags, C) weighted sums of rows; those of the surplus are dropped."""
    # CUDA's kernel ignores `include_last_offset`.
    return F.embedding_bag(
        index, rows, offsets, mode='sum',
        per_sample_weights=weight)[:num_bags]


def _axis(in_size: int, out_size: int, mode: str, dtype: torch.dtype,
          device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """How ``interpolate`` does an axis: cells, block and weights.

    Returns:
        Cells (blocks, T); the block (out_size,) and weights (out_size, T) of
        each position.
    """
    if mode not in ('bilinear', 'bicubic'):
        raise ValueError(
            f"`mode` must be 'bilinear' or 'bicubic', got {mode!r}")
    out = torch.arange(out_size, device=device)
    if in_size == out_size:
        return out[:, None], out, torch.ones_like(out, dtype=dtype)[:, None]
    source = (out.to(dtype) + 0.5) * (in_size / out_size) - 0.5
    if mode == 'bilinear':
        # ``interpolate`` clamps the source of the linear kernel at zero.
        source = source.clamp(min=0)
    left = source.floor()
    t = source - left
    if mode == 'bilinear':
        weights = [1 - t, t]
    else:
        weights = [_far(1 + t), _near(t), _near(1 - t), _far(2 - t)]
    # The first block is the one before the first centre.
    cells = torch.arange(in_size + 1, device=device)[:, None] + torch.arange(
        len(weights), device=device) - len(weights) // 2
    return (cells.clamp(0, in_size - 1), left.long() + 1,
            torch.stack(weights, dim=1))


def _matrix(labels: Tensor, count: Tensor, grid_size: tuple[int, int],
            mode: str, dtype: torch.dtype) -> Tensor:
    """(B, N, h w) matrix of :func:`segment_matrix` of some dtype."""
    height, width = grid_size
    batch, num_segments = count.shape
    device = labels.device
    rows, row, row_weight = _axis(height, labels.size(1), mode, dtype, device)
    columns, column, column_weight = _axis(width, labels.size(2), mode, dtype,
                                           device)
    rows, columns = rows[row], columns[column]
    segment = labels.clamp(min=0) + num_segments * torch.arange(
        batch, device=device)[:, None, None]
    share = count.to(dtype).clamp(min=1).reciprocal().flatten()[segment]
    share = share * (labels >= 0)
    first = segment * (height * width)
    matrix = share.new_zeros(batch * num_segments * height * width)
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
