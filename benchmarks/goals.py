"""What a goal is, and what measurements of goals share."""

import contextlib
from typing import Callable, Iterator, NamedTuple, Optional, Tuple

import torch

from mmhierseg.ops._numba import has_numba

__all__ = ['Goal', 'Measured', 'Settings', 'run_threads']


class Settings(NamedTuple):
    """How thoroughly goals are measured, and on what."""

    rounds: int = 3
    """Turns that each variant has."""

    images: int = 14
    """Photographs, and scenes, that superpixels are made of."""

    threads: int = 2
    """Threads of PyTorch, where a goal does not ask for one core."""

    device: str = 'cpu'
    img_size: int = 224
    large_size: int = 512

    batch_size: int = 8
    """Images of a step of CAST and of the ViT."""

    hsg_images: int = 12
    """Images of a batch of HSG's losses, two views each."""


class Measured(NamedTuple):
    """What a goal's function returns."""

    value: float
    """The ratio."""

    words: str
    """What it is the ratio of."""


class Goal(NamedTuple):
    """One ratio and its bound."""

    name: str
    words: str

    bound: float
    at_least: bool
    """Whether the ratio is to be at least the bound; otherwise at most."""

    measure: Callable[[Settings], Measured]

    devices: Tuple[str, ...] = ('cpu', )
    """What it is a goal for."""

    needs_numba: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a ratio is good enough.

        Args:
            value (float): What was measured.

        Returns:
            bool: False for NaN, too.

        Example:
            >>> Goal('a', 'A', 2., True, None).is_met(1.9)
            False
        """
        return value >= self.bound if self.at_least else value <= self.bound

    def obstacle(self) -> Optional[str]:
        """Why it cannot be measured here; None if it can."""
        if self.needs_numba and not has_numba():
            return 'needs numba'
        return None


@contextlib.contextmanager
def run_threads(number: int) -> Iterator[None]:
    """Let PyTorch have some number of threads.

    Args:
        number (int): Of threads on the CPU.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
