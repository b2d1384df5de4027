"""Superpixel methods: images in, maps of small segments out.

All methods are registered in ``SUPERPIXELS`` and share the call signature of
:class:`BaseSuperpixels`. OpenCV and scikit-image are imported by the methods
that need them.
"""

from .base import BaseSuperpixels
from .grid import Grid
from .seeds import SEEDS
from .slic import SLIC
from .torch_slic import TorchSLIC

__all__ = ['BaseSuperpixels', 'Grid', 'SEEDS', 'SLIC', 'TorchSLIC']
