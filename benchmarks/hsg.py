"""Time and peak memory of HSG's k-means and losses as batches grow.

Each is compared with a naive reference that follows the formulas.
"""

import json
import statistics
import tempfile
import time
from argparse import Namespace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from benchmarks import hsg_naive
from benchmarks.hsg_batch import (
    GRID,
    ITERATIONS,
    KAPPA,
    NEIGHBOURS,
    Batch,
    make_batch,
    split_centroids,
)
from benchmarks.memory import peak_bytes
from benchmarks.report import Report, markdown_table
from benchmarks.timing import paired_ratio, spread, take_turns
from mmhierseg.models import (
    CentroidContrastLoss,
    DMoNLoss,
    PixelSegmentContrastLoss,
)
from mmhierseg.ops import cluster_views, knn_adjacency

__all__ = ['VERSIONS', 'WORKS', 'measure', 'run', 'step']

OPTIONS = dict(
    images=dict(nargs='+', type=int, default=[6, 12, 24, 48], quick=[6, 12],
                help='images of a batch, two views each'),
    size=dict(type=int, default=28,
              help='height and width of the embeddings; 28 is of crops of '
              '448 pixels'),
    channels=dict(type=int, default=128, help='of the embeddings'),
    regions=dict(type=int, default=48, help='regions of an image'),
    matrix_limit=dict(type=float, default=600.,
                      help='MiB of a matrix of pixels x prototypes up to '
                      'which the naive contrast is run; it takes some twenty '
                      'of them'),
    ranks=dict(nargs='*', type=int, default=[1, 2],
               help='numbers of processes that share a contrast on the CPU, '
               'of one thread each'),
    repeats=dict(type=int, default=3, help='rounds'))
WORKS = {
    'kmeans': 'k-means',
    'contrast': 'contrast and gradients',
    'grouping': 'grouping and gradients',
}
_HEADER = ('work', 'images', 'pixels P', 'prototypes N', '(P + N) D, MiB',
           'P N, MiB', 's', 'peak MiB', 's, naive', 'peak MiB, naive',
           'times as fast')
_RANKS = ('processes', 'pixels P of each', 'prototypes N of all',
          '(P + N) D, MiB', 'P N, MiB', 's', 'peak MiB')


def kmeans(batch: Batch) -> Tensor:
    """Clusters of the pixels of each view, (V, h, w) int64."""
    return cluster_views(batch.embeddings, GRID, ITERATIONS)


def contrast(batch: Batch) -> Tensor:
    """Contrasts of pixels with segments, by the labels of three levels."""
    views = batch.views
    return PixelSegmentContrastLoss(KAPPA)(views.pixels, views.own,
                                           views.prototypes, batch.labels)


def grouping(batch: Batch) -> Tensor:
    """Modularity with collapse, and contrast of centroids, of two levels."""
    sequences = batch.sequences
    places = slice(sequences.longest)
    adjacency = knn_adjacency(
        sequences.pad(batch.views.prototypes)[:, places], NEIGHBOURS,
        sequences.padding[:, places], sequences.views[:, places])
    dmon, centroid_contrast = DMoNLoss(), CentroidContrastLoss(KAPPA)
    losses = [
        dmon(logits.softmax(dim=1).transpose(1, 2), adjacency,
             sequences.padding) for logits in (batch.fine, batch.coarse)
    ] + [centroid_contrast(part) for part in split_centroids(batch)]
    return torch.stack(losses)


VERSIONS = dict(
    package=SimpleNamespace(
        kmeans=kmeans, contrast=contrast, grouping=grouping),
    naive=hsg_naive)


def step(version: str, name: str, batch: Batch) -> None:
    """One of ``WORKS`` by one of ``VERSIONS``, with its gradients."""
    result = getattr(VERSIONS[version], name)(batch)
    if result.requires_grad:
        torch.autograd.grad(result.sum(), batch.leaves(), allow_unused=True)


def measure(num_images: int, args: Namespace) -> dict[str, dict]:
    """Time all works on batches of one size, and count their memory.

    Args:
        num_images (int): Images of the batch.
        args (Namespace): Options.

    Returns:
        dict[str, dict]: Under 'size' the numbers of ``images``, ``pixels``,
        ``prototypes`` and ``channels``; under each work, by version,
        ``seconds`` of each round and ``peak``, bytes.
    """
    batch = make_batch(num_images, args.size, args.channels,
                       args.regions).to(args.device)
    pixels, channels = batch.views.pixels.shape
    prototypes = len(batch.views.prototypes)
    result = dict(size=dict(
        images=num_images, pixels=pixels, prototypes=prototypes,
        channels=channels))
    too_large = 4 * pixels * prototypes > args.matrix_limit * 2**20
    for name in WORKS:
        calls = {
            version: partial(step, version, name, batch)
            for version in VERSIONS
            if not (version == 'naive' and name == 'contrast' and too_large)
        }
        seconds = take_turns(
            calls, args.repeats, warmup=1, device=args.device,
            progress=lambda message: args.progress(
                f'{num_images} images: {message}'))
        result[name] = {
            version: dict(
                seconds=seconds[version], peak=peak_bytes(call, args.device))
            for version, call in calls.items()
        }
    return result


def measure_ranks(number: int, args: Namespace) -> dict[str, float]:
    """Time the contrast with its gradients in several processes, by gloo.

    Each has images of its own and gathers the segments of all.

    Args:
        number (int): Of processes, of one thread each.
        args (Namespace): Options; each has the smallest of ``images``.

    Returns:
        dict[str, float]: Of the first process: ``ranks``, its ``pixels``,
        the ``prototypes`` of all, ``seconds``, the median, and ``peak``.
    """
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(
            _measure_rank, (number, folder, min(args.images), args.size,
                            args.channels, args.regions, args.repeats),
            nprocs=number)
        return json.loads((Path(folder) / 'out').read_text())


def _measure_rank(rank: int, number: int, folder: str, num_images: int,
                  size: int, channels: int, regions: int,
                  repeats: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', f'file://{folder}/meeting', rank=rank, world_size=number)
    batch = make_batch(num_images, size, channels, regions, seed=rank)
    seconds = []
    for _ in range(1 + repeats):
        dist.barrier()
        start = time.perf_counter()
        step('package', 'contrast', batch)
        seconds.append(time.perf_counter() - start)
    peak = peak_bytes(lambda: step('package', 'contrast', batch))
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


def _table(results: list[dict[str, dict]]) -> str:
    rows = []
    for name, words in WORKS.items():
        for result in results:
            measured = result[name]
            ratio = '–'
            if 'naive' in measured:
                ratio = paired_ratio(measured['naive']['seconds'],
                                     measured['package']['seconds']).median
                ratio = f'{ratio:.1f}'
            rows.append([
                words, str(result['size']['images']), *_sizes(result['size']),
                *(cell for version in VERSIONS
                  for cell in _cells(measured.get(version))), ratio
            ])
    return markdown_table(_HEADER, rows)


def _sizes(size: dict[str, int]) -> list[str]:
    pixels, prototypes = size['pixels'], size['prototypes']
    return [
        f'{pixels:,}', f'{prototypes:,}',
        _mebibytes(4 * (pixels + prototypes) * size['channels']),
        _mebibytes(4 * pixels * prototypes)
    ]


def _cells(measured: dict | None) -> list[str]:
    if not measured:
        return ['–', '–']
    return [f'{spread(measured["seconds"]).median:.3g}',
            _mebibytes(measured['peak'])]


def _mebibytes(size: int) -> str:
    size /= 2**20
    return f'{size:.0f}' if size >= 10 else f'{size:.1f}'


def run(args: Namespace) -> Report:
    """Measure batches of all sizes, and several processes."""
    results = [measure(number, args) for number in args.images]
    ranks = [] if args.device == 'cuda' else [
        measure_ranks(number, args) for number in args.ranks
    ]
    text = (f'embeddings of {args.size} x {args.size} with {args.channels} '
            f'channels; {args.repeats} rounds\n\n{_table(results)}')
    if ranks:
        table = markdown_table(_RANKS, [[
            str(x['ranks']), *_sizes(x), f'{x["seconds"]:.3g}',
            _mebibytes(x['peak'])
        ] for x in ranks])
        text += (f'\n\nThe contrast with {min(args.images)} images in each '
                 f'process:\n\n{table}')
    return Report({f'losses of HSG on {args.place}': text},
                  dict(results=results, ranks=ranks))
