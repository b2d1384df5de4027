"""Random draws that give the same numbers on every platform.

A scene is seeded by two numbers, and its bytes must depend on nothing else.
Two things would break that and are avoided in this whole package:

* methods of :class:`numpy.random.Generator` other than ``random``: they may
  change between NumPy's versions (NEP 19), and some are compiled with fused
  multiply-adds on one processor and without on another;
* sin, cos, exp, powers and other functions whose last bit depends on the
  mathematics library. Additions, products, quotients and square roots are
  exactly rounded everywhere (IEEE 754), so rotations come from a rational
  parametrisation of the circle and waves are triangular.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in [low, high)."""
    return low + (high - low) * float(rng.random())


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer in low, ..., high, both included."""
    return low + int((high - low + 1) * float(rng.random()))


def choose(rng: np.random.Generator, items: Sequence[Any]) -> Any:
    """One of the items."""
    return items[integer(rng, 0, len(items) - 1)]


def sample(rng: np.random.Generator, items: Sequence[Any],
           count: int) -> list:
    """Different items, in random order."""
    left = list(items)
    return [left.pop(integer(rng, 0, len(left) - 1)) for _ in range(count)]


def rotation(rng: np.random.Generator,
             half_tangent: float) -> tuple[float, float]:
    """Cosine and sine of an angle, up to that of the given half tangent."""
    t = uniform(rng, -half_tangent, half_tangent)
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
