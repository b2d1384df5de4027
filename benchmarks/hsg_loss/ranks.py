"""The contrast in several processes, whose segments it gathers.

Each process has images of its own; its pixels are compared with the segments
of all.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Dict, List

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from benchmarks.common.memory import peak_bytes

from . import work
from .batch import make_batch

__all__ = ['measure_ranks']


def measure_ranks(numbers: List[int], num_images: int, size: int,
                  channels: int, num_regions: int,
                  repeats: int) -> List[Dict[str, float]]:
    """Time the contrast and its gradients on one machine, by gloo.

    Args:
        numbers (List[int]): Numbers of processes, of one thread each.
        num_images (int): Images of each, two views each.
        size (int): h and w of the embeddings.
        channels (int): D.
        num_regions (int): Regions of an image.
        repeats (int): Rounds, after one to warm up.

    Returns:
        List[Dict[str, float]]: Of the first process, for each number:
        ``ranks``, its ``pixels``, the ``prototypes`` of all, ``seconds``,
        the median, and ``peak``, bytes.
    """
    results = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(
                _measure, (number, folder, num_images, size, channels,
                           num_regions, repeats),
                nprocs=number)
            results.append(json.loads((Path(folder) / 'out').read_text()))
    return results


def _measure(rank: int, number: int, folder: str, num_images: int, size: int,
             channels: int, num_regions: int, repeats: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', f'file://{folder}/meeting', rank=rank, world_size=number)
    batch = make_batch(num_images, size, channels, num_regions, seed=rank)

    def step() -> None:
        loss = work.contrast(batch).sum()
        torch.autograd.grad(loss, batch.leaves(), allow_unused=True)

    seconds = []
    for _ in range(1 + repeats):
        dist.barrier()
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    peak = peak_bytes(step)
    prototypes = torch.tensor(len(batch.views.prototypes))
    dist.all_reduce(prototypes)
    if rank == 0:
        (Path(folder) / 'out').write_text(
            json.dumps(
                dict(
                    ranks=number,
                    pixels=len(batch.views.pixels),
                    prototypes=int(prototypes),
                    channels=channels,
                    seconds=statistics.median(seconds[1:]),
                    peak=peak)))
    dist.destroy_process_group()
