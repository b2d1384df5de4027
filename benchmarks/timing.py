"""Time several variants of a piece of work against each other.

On a computer that does other things too, and whose clock rises and falls,
variants that are measured one after the other are measured under different
conditions. Here they take turns, in an order that is shuffled in each round,
so that disturbances hit all of them alike. Ratios are taken within a round,
then their median over the rounds.
"""

import contextlib
import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

__all__ = ['Spread', 'paired_ratio', 'run_threads', 'spread', 'take_turns']

_MOST_CALLS = 1000


class Spread(NamedTuple):
    """Median of some numbers, and the range of their middle half."""

    median: float
    low: float
    """First quartile."""

    high: float
    """Third quartile."""


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles.

    Args:
        values (Sequence[float]): At least one number.

    Returns:
        Spread: Quartiles lie between the numbers where these are few: see
        ``statistics.quantiles``, ``method='inclusive'``.

    Raises:
        ValueError: If there are no numbers.

    Example:
        >>> spread([5., 1., 2., 3., 4.])
        Spread(median=3.0, low=2.0, high=4.0)
    """
    if not values:
        raise ValueError('`values` must have at least one number, got none')
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method='inclusive')
    return Spread(median, low, high)


def paired_ratio(values: Sequence[float],
                 baseline: Sequence[float]) -> Spread:
    """Ratio of two variants that were measured in turns.

    Args:
        values (Sequence[float]): One number for each round.
        baseline (Sequence[float]): Those of the other variant in the same
            rounds.

    Returns:
        Spread: Of the ratios within the rounds.

    Raises:
        ValueError: If one has more rounds than the other.

    Example:
        >>> paired_ratio([2., 6., 4.], [1., 3., 1.]).median
        2.0
    """
    if len(values) != len(baseline):
        raise ValueError('`values` and `baseline` must be of the same rounds, '
                         f'got {len(values)} and {len(baseline)} numbers')
    return spread([value / base for value, base in zip(values, baseline)])


def take_turns(calls: dict[str, Callable[[], object]],
               repeats: int,
               warmup: int = 2,
               min_seconds: float = 0.2,
               device: str = 'cpu',
               progress: Callable[[str], None] | None = None
               ) -> dict[str, list[float]]:
    """Time variants in turns.

    Args:
        calls (dict[str, Callable]): The variants by name; they take no
            arguments.
        repeats (int): Rounds, at least 1. In each, every variant has a turn.
        warmup (int): Calls of each variant before the first round, at least
            1: the first one allocates, chooses algorithms, fills caches.
            Defaults to 2.
        min_seconds (float): A turn is as many calls as take this long, and at
            least one. Defaults to 0.2.
        device (str): 'cpu' or 'cuda', synchronised before the clock is read.
            Defaults to 'cpu'.
        progress (Callable, optional): Called with a message after each step.

    Returns:
        dict[str, list[float]]: Seconds per call of each variant in each
        round.

    Raises:
        ValueError: If ``repeats`` or ``warmup`` is below 1.
    """
    for name, value in (('repeats', repeats), ('warmup', warmup)):
        if value < 1:
            raise ValueError(f'`{name}` must be at least 1, got {value}')
    progress = progress or (lambda message: None)
    numbers = {}
    for name, call in calls.items():
        for _ in range(warmup):
            seconds = _time(call, 1, device)
        numbers[name] = min(
            max(math.ceil(min_seconds / max(seconds, 1e-9)), 1), _MOST_CALLS)
        progress(f'{name}: {1e3 * seconds:.1f} ms after warming up')
    order = list(calls)
    shuffle = random.Random(0).shuffle
    result = {name: [] for name in calls}
    for index in range(repeats):
        shuffle(order)
        for name in order:
            result[name].append(_time(calls[name], numbers[name], device))
        progress(f'round {index + 1} of {repeats}')
    return result


def _time(call: Callable[[], object], number: int, device: str) -> float:
    """Seconds per call; no garbage is collected while the clock runs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        _synchronize(device)
        start = time.perf_counter()
        for _ in range(number):
            call()
        _synchronize(device)
        return (time.perf_counter() - start) / number
    finally:
        if enabled:
            gc.enable()


def _synchronize(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()


@contextlib.contextmanager
def run_threads(number: int) -> Iterator[None]:
    """Limit the threads of PyTorch on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
