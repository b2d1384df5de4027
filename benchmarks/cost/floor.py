"""The least time that arithmetic and memory traffic would take here."""

import time
from functools import partial
from typing import Callable, NamedTuple

import torch

__all__ = ['Floor', 'measure_machine']

_SIDE = dict(cpu=2048, cuda=8192)
_NUMBERS = dict(cpu=2**24, cuda=2**28)
#: AdamW reads weight, gradient and both averages, and writes all but the
#: gradient.
_TRAFFIC_OF_ADAMW = 4 * 7


class Floor(NamedTuple):
    """What the machine does at most, with as many threads as PyTorch has."""

    operations: float
    """Floating-point operations a second, in products of large matrices of
    float32; a multiplication and an addition are two."""

    bandwidth: float
    """Bytes a second, read and written together."""

    def optimizer(self, parameters: int) -> float:
        """Least seconds of a step of AdamW.

        Args:
            parameters (int): Numbers that are trained, of float32.

        Returns:
            float: Seconds.

        Example:
            >>> Floor(1e12, 28e9).optimizer(10**9)
            1.0
        """
        return _TRAFFIC_OF_ADAMW * parameters / self.bandwidth


def measure_machine(device: str) -> Floor:
    """Time a large product and a large copy.

    Args:
        device (str): 'cpu' or 'cuda'.

    Returns:
        Floor: The best of some rounds.
    """
    side = _SIDE[device]
    matrix = torch.ones(side, side, device=device)
    numbers = torch.ones(_NUMBERS[device], device=device)
    target = torch.empty_like(numbers)
    product = _best(partial(torch.matmul, matrix, matrix), device)
    copy = _best(lambda: target.copy_(numbers), device)
    return Floor(2 * side**3 / product, 8 * numbers.numel() / copy)


def _best(call: Callable[[], object], device: str, rounds: int = 9) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        if device == 'cuda':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
