"""Numba kernels of the operators, for CPUs where numba is installed.

Each agrees with its reference implementation in torch; :func:`use_compiled`
decides which of the two is called. Install numba by ``pip install
mmhierseg[speed]``; ``MMHIERSEG_COMPILED=0`` switches it off.
"""

from .switch import for_each_image, has_numba, njit, use_compiled

__all__ = ['for_each_image', 'has_numba', 'njit', 'use_compiled']
