"""Goals of HSG: k-means and losses against what is written out, retrieval."""

from functools import cache, partial
from typing import Dict, Optional, Tuple

import torch
from torch import Tensor

from benchmarks.common.memory import peak_bytes
from benchmarks.common.timing import paired_ratio, spread
from benchmarks.hsg_loss import run as hsg_loss
from benchmarks.hsg_loss.batch import make_batch
from mmhierseg.ops import knn_retrieve

from .goal import Goal, Measured, Settings, run_threads

__all__ = ['GOALS']

_NAMES = dict(kmeans='k-means', contrast='contrast', grouping='grouping')
#: Channels of embeddings, classes and neighbours of retrieval.
_CHANNELS, _CLASSES, _NEIGHBOURS = 128, 20, 20


@cache
def time_works(settings: Settings) -> Dict[str, dict]:
    """Time k-means, contrast and grouping, and count their memory.

    Args:
        settings (Settings): Of the run.

    Returns:
        Dict[str, dict]: Of ``measure`` in ``benchmarks/hsg_loss``.
    """
    args = hsg_loss.parse_args([
        '--repeats', str(settings.rounds), '--device', settings.device,
        '--matrix-limit', '1e4'
    ])
    with run_threads(settings.threads):
        return hsg_loss.measure(settings.hsg_images, args)


def _speed(settings: Settings, name: Optional[str]) -> Measured:
    """Of one piece of work, or of all together."""
    measured = time_works(settings)
    own, naive_reference = (
        [sum(x) for x in zip(*(measured[work][version]['seconds']
                               for work in ([name] if name else _NAMES)))]
        for version in ('package', 'written out'))
    times = [spread(x).median for x in (naive_reference, own)]
    return Measured(
        paired_ratio(naive_reference, own).median,
        f'{times[0]:.3g} : {times[1]:.3g} s, {settings.hsg_images} images')


def _memory_growth(settings: Settings, name: str) -> Measured:
    """How much faster than pixels + prototypes memory grows."""
    peaks, sizes = [], []
    for number in (settings.hsg_images // 2, 2 * settings.hsg_images):
        batch = make_batch(number).to(settings.device)
        sizes.append(len(batch.views.pixels) + len(batch.views.prototypes))
        with run_threads(settings.threads):
            peaks.append(peak_bytes(
                partial(hsg_loss.step, 'package', name, batch),
                settings.device))
    return Measured(
        (peaks[1] / peaks[0]) / (sizes[1] / sizes[0]),
        f'{peaks[0] / 2**20:.1f} to {peaks[1] / 2**20:.1f} MiB, '
        f'{sizes[0]:,} to {sizes[1]:,} vectors')


def _retrieval(settings: Settings) -> Measured:
    """Peak memory with four times as many similarities."""
    small, large = (
        peak_bytes(partial(knn_retrieve, *_bank(scale, settings.device),
                           _NEIGHBOURS, _CLASSES), settings.device)
        for scale in (1, 2))
    return Measured(large / small,
                    f'{large / 2**20:.0f} : {small / 2**20:.0f} MiB')


def _bank(scale: int, device: str) -> Tuple[Tensor, Tensor, Tensor]:
    """Queries, bank and its classes."""
    generator = torch.Generator().manual_seed(0)
    queries, bank = (
        torch.randn(scale * number, _CHANNELS, generator=generator).to(device)
        for number in (1024, 32768))
    classes = torch.arange(len(bank), device=device) % _CLASSES
    return queries, bank, classes


GOALS = [
    Goal('hsg', "HSG's k-means, contrast and grouping together: time written "
         'out over that of the package', 3., True,
         partial(_speed, name=None), devices=('cpu', 'cuda')),
    *(Goal(f'hsg-{name}', f'{words} alone: time written out over that of the '
           'package', 3., True, partial(_speed, name=name),
           devices=('cpu', 'cuda')) for name, words in _NAMES.items()),
    *(Goal(f'hsg-{name}-memory', f'memory of {words} with four times the '
           'images, over four times the vectors', 1.1, False,
           partial(_memory_growth, name=name), devices=('cpu', 'cuda'))
      for name, words in _NAMES.items()),
    Goal('retrieval-memory', 'memory of retrieval with four times the pairs '
         'of query and entry, over that with one', 1.1, False, _retrieval,
         devices=('cpu', 'cuda')),
]
