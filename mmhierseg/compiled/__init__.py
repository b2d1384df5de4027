"""Compiled twins of functions of the core, for CPUs where numba is installed.

Each gives what its twin in torch gives; :func:`use_compiled` says which one
is to be called. There is nothing to set: numba is used where it can be
imported (``pip install mmhierseg[speed]``), ``MMHIERSEG_COMPILED=0`` in the
environment leaves it alone.
"""

from .switch import for_each_image, has_numba, njit, use_compiled

__all__ = ['for_each_image', 'has_numba', 'njit', 'use_compiled']
