"""Hierarchical image segmentation (CAST, HSG) for the OpenMMLab ecosystem.

Importing the package is cheap: it only repairs the installed stack
(:mod:`mmhierseg._compat`). Modules are registered on demand by
:mod:`mmhierseg.registry`, so ``type='mmhierseg.CAST'`` in a config works.
"""

from . import _compat
from .version import __version__

_compat.apply()

__all__ = ['__version__']
