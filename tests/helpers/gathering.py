"""Gathering on two processes; apart, for what it imports is little."""

import pytest
import torch
import torch.distributed as dist

from mmhierseg.utils.gathering import gather_rows


def gather_on_two(rank, port, folder):
    """Gather rows of which one process has more, or the only ones."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    both = gather_rows(torch.full((1 + 2 * rank, 2), rank, dtype=torch.long))
    one = gather_rows(
        torch.ones(3, 4).half() if rank else torch.zeros(0, 0).half())
    none = gather_rows(torch.zeros(0, 5))
    with pytest.raises(ValueError, match=r'got \[\[3\], \[4\]\]'):
        gather_rows(torch.ones(1, 3 + rank))
    torch.save((both, one, none), folder / f'{rank}')
    dist.destroy_process_group()
