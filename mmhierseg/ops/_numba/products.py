"""Products of matrices by oneDNN.

On a CPU torch leaves products in float32 to MKL, which does not use AVX-512 on
processors of AMD: oneDNN, which is in torch too, is there more than twice as
fast. Its function for layers has no gradients, so this is for what needs none.
"""

import functools
import os

import torch
from torch import Tensor

__all__ = ['add_product_', 'has_onednn', 'multiply']


def multiply(first: Tensor, second: Tensor) -> Tensor:
    """First @ second.t(), without gradients.

    Args:
        first (Tensor): (m, k) float.
        second (Tensor): (n, k).

    Returns:
        Tensor: (m, n).
    """
    if _is_for_onednn(first, second):
        return _linear(first, second)
    return first @ second.t()


def add_product_(total: Tensor, first: Tensor, second: Tensor) -> None:
    """Add first @ second.t() to a matrix.

    Args:
        total (Tensor): (m, n) float, is changed.
        first (Tensor): (m, k).
        second (Tensor): (n, k).
    """
    if _is_for_onednn(first, second):
        total += _linear(first, second)
    else:
        total.addmm_(first, second.t())


def _is_for_onednn(first: Tensor, second: Tensor) -> bool:
    return (first.device.type == 'cpu' and first.dtype == torch.float32
            and second.dtype == torch.float32 and first.numel() > 0
            and second.numel() > 0
            and os.environ.get('MMHIERSEG_COMPILED') != '0'
            and not torch.compiler.is_compiling() and has_onednn())


def _linear(first: Tensor, second: Tensor) -> Tensor:
    """What ``torch.compile`` makes of a layer without a bias."""
    return torch.ops.mkldnn._linear_pointwise(first, second, None, 'none', [],
                                              '')


@functools.cache
def has_onednn() -> bool:
    """Whether this build of torch has it, and as it is expected to be."""
    if not torch.backends.mkldnn.is_available():
        return False
    first, second = torch.eye(3), torch.arange(6.).view(2, 3)
    try:
        return torch.equal(_linear(first, second), second.t())
    except (AttributeError, RuntimeError, TypeError):
        return False
