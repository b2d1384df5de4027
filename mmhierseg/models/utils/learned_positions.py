"""Learned position encoding of a map, as in HSG and DETR."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhierseg._base.checks import check_number


class LearnedPositions(nn.Module):
    """An embedding for each row and each column of a map.

    Only the first ``position_size`` embeddings (all by default) are trained;
    for larger maps they are interpolated. They are initialised uniformly in
    [0, init_range], 1 in the authors' code.
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
        check_number('position_size', position_size, 1, max_positions)
        self.position_size = position_size
        self.row_embed = nn.Embedding(max_positions, embed_dims // 2)
        self.col_embed = nn.Embedding(max_positions, embed_dims // 2)
        nn.init.uniform_(self.row_embed.weight, 0., init_range)
        nn.init.uniform_(self.col_embed.weight, 0., init_range)

    def forward(self, height: int, width: int) -> Tensor:
        """(height, width, C) encoding: that of the column, then of the row."""
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
