"""Gathering on two processes; apart, because it imports little."""

import pytest
import torch

from mmhierseg._base.gathering import (
    all_reduce_max,
    gather_rows,
    gather_rows_with_grad,
    mean_count,
)


def gather_on_two(rank, folder):
    """Gather rows of which one process has more, or the only ones."""
    both = gather_rows(torch.full((1 + 2 * rank, 2), rank, dtype=torch.long))
    one = gather_rows(
        torch.ones(3, 4).half() if rank else torch.zeros(0, 0).half())
    none = gather_rows(torch.zeros(0, 5))
    with pytest.raises(ValueError, match=r'got \[\[3\], \[4\]\]'):
        gather_rows(torch.ones(1, 3 + rank))
    rows = torch.arange(2. + 4 * rank).view(-1, 2).requires_grad_()
    gathered, first = gather_rows_with_grad(rows)
    # Not contiguous on the way back.
    (gathered.t() * torch.tensor([[1.], [10.]])**(1 + rank)).sum().backward()
    of_one = torch.zeros(3 * rank, 4, requires_grad=True)
    (gather_rows_with_grad(of_one)[0].sum() * (1 + rank)).backward()
    counts = [mean_count(n) for n in (3 + 4 * rank, 2 * rank, 0)]
    torch.save(
        dict(
            rows=(both, one, none), gathered=gathered.detach(), first=first,
            grad=rows.grad, grad_of_one=of_one.grad, counts=counts,
            largest=all_reduce_max(7 - rank)), folder / f'{rank}')
