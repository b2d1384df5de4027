"""Deprecated alias of :mod:`mmhierseg.ops`; removed in 0.3."""

import warnings

from mmhierseg.ops import for_each_image, has_numba, njit, use_compiled

__all__ = ['for_each_image', 'has_numba', 'njit', 'use_compiled']

warnings.warn(
    'mmhierseg.compiled is deprecated and will be removed in 0.3: import '
    'from mmhierseg.ops instead',
    DeprecationWarning,
    stacklevel=2)
