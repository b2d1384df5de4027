"""Results over seeds."""

from collections.abc import Sequence

import numpy as np

__all__ = ['paired', 'summary']


def summary(values: Sequence[float], digits: int = 1) -> str:
    """Mean of some runs, and half the range between the extreme ones.

    Example:
        >>> summary([10., 11., 12.6])
        '11.2 ± 1.3'
    """
    spread = f' ± {np.ptp(values) / 2:.{digits}f}' if len(values) > 1 else ''
    return f'{np.mean(values):.{digits}f}{spread}'


def paired(values: Sequence[float], others: Sequence[float],
           digits: int = 1) -> str:
    """Mean of the differences, seed by seed, or that they have no order.

    Args:
        values (Sequence[float]): A result of each seed.
        others (Sequence[float]): What they are compared with.
        digits (int): Decimals. Defaults to 1.

    Example:
        >>> paired([1., 2., 3.], [2., 3., 3.5])
        '-0.8'
        >>> paired([1., 2., 3.], [0., 3., 3.5])
        'no order'
    """
    differences = np.subtract(values, others)
    if len(differences) > 1 and len(set(np.sign(differences))) > 1:
        return 'no order'
    return f'{np.mean(differences):+.{digits}f}'
