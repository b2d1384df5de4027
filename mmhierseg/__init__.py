"""Hierarchical image segmentation (CAST, HSG) for the OpenMMLab ecosystem.

Importing the package is cheap: it repairs what the installed stack needs
(:mod:`mmhierseg._compat`) and imports nothing else of weight. Modules are
registered on demand by the ``locations`` of :mod:`mmhierseg.registry`, so
``type='mmhierseg.CAST'`` in a config finds its class by itself.
"""

from . import _compat
from .version import __version__

_compat.apply()

__all__ = ['__version__']
