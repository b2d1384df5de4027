"""Superpixel methods: images in, maps of small segments out.

All of them are registered in ``SUPERPIXELS`` and share one call signature
(:class:`BaseSuperpixels`). OpenCV and scikit-image are imported only by the
methods that need them, when one is constructed.
"""

from .base import BaseSuperpixels
from .grid import Grid
from .seeds import SEEDS
from .slic import SLIC
from .torch_slic import TorchSLIC

__all__ = ['BaseSuperpixels', 'Grid', 'SEEDS', 'SLIC', 'TorchSLIC']
