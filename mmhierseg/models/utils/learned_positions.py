"""Learned position encoding of a map, as in HSG and DETR."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """An embedding for each row and each column of a map.

    Args:
        embed_dims (int): Width C; even.
        max_positions (int): Number of rows and of columns with an embedding.
            Defaults to 50.
        position_size (int, optional): Number of rows and columns used in
            training. For larger maps, the embeddings of these are
            interpolated, because those beyond are never trained. Defaults to
            None: ``max_positions``.
        init_range (float): Embeddings are initialised uniformly in [0,
            init_range]. Defaults to 1, as in the authors' code.

    Raises:
        ValueError: If ``embed_dims`` is odd, or a number is out of range.

    Example:
        >>> positions = LearnedPositions(4, max_positions=3)
        >>> _ = positions.row_embed.weight.data.copy_(
        ...     torch.tensor([[0., 5.], [1., 5.], [2., 5.]]))
        >>> encoding = positions(5, 2)
        >>> encoding[:, 0, 2].tolist(), tuple(encoding.shape)
        ([0.0, 0.5, 1.0, 1.5, 2.0], (5, 2, 4))
    """

    def __init__(self,
                 embed_dims: int,
                 max_positions: int = 50,
                 position_size: int | None = None,
                 init_range: float = 1.) -> None:
        super().__init__()
        if embed_dims % 2:
            raise ValueError('`embed_dims` must be even, half for rows and '
                             f'half for columns, got {embed_dims}')
        if position_size is None:
            position_size = max_positions
        if not 1 <= position_size <= max_positions:
            raise ValueError(
                '`position_size` must be at least 1 and at most '
                f'`max_positions` ({max_positions}), got {position_size}')
        self.position_size = position_size
        self.row_embed = nn.Embedding(max_positions, embed_dims // 2)
        self.col_embed = nn.Embedding(max_positions, embed_dims // 2)
        nn.init.uniform_(self.row_embed.weight, 0., init_range)
        nn.init.uniform_(self.col_embed.weight, 0., init_range)

    def forward(self, height: int, width: int) -> Tensor:
        """Encode each pixel of a map: its column, then its row.

        Args:
            height (int): Number of rows.
            width (int): Number of columns.

        Returns:
            Tensor: (height, width, C).
        """
        rows = self._table(self.row_embed.weight, height)
        columns = self._table(self.col_embed.weight, width)
        return torch.cat([
            columns.expand(height, -1, -1),
            rows[:, None].expand(-1, width, -1)
        ], dim=2)

    def _table(self, table: Tensor, size: int) -> Tensor:
        if size <= self.position_size:
            return table[:size]
        trained = table[:self.position_size].t()[None]
        return F.interpolate(
            trained, size, mode='linear', align_corners=True)[0].t()
