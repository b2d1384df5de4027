"""Call all kernels, so that numba has them in its cache on disk.

The file that the first argument names is written at the end; see
:mod:`mmhierseg.ops._numba.background`.
"""

import os
import sys
import warnings
from pathlib import Path

import torch

from mmhierseg.ops import (
    compact_labels,
    farthest_point_sampling,
    knn_adjacency,
)

from .torch_slic import TorchSLIC


def main() -> None:
    """Compile with low priority; it is an error if nothing can be cached."""
    if hasattr(os, 'nice'):
        os.nice(10)
    warnings.filterwarnings('error', 'numba can cache')
    torch.manual_seed(0)
    images = torch.randint(0, 256, (1, 3, 64, 48), dtype=torch.uint8)
    for options in ({}, dict(border_passes=0)):
        TorchSLIC(segment_size=16, **options)(images)
    for dtype in (torch.float32, torch.float64):
        points = torch.rand(1, 9, 8, dtype=dtype)
        farthest_point_sampling(points, 3)
        knn_adjacency(points, 2)
    compact_labels(torch.tensor([[[0, 1]]]))
    Path(sys.argv[1]).touch()
