"""Linear layers at the full pace of CPUs on which MKL is slow.

PyTorch hands products of float32 matrices to MKL, which does not use AVX-512
on CPUs that are not Intel's. There oneDNN, which PyTorch brings along for
convolutions and for ``torch.compile``, is twice as fast: on one core of an
AMD EPYC (Zen 5) 250 instead of 113 GFLOP/s with the sizes of CAST-S. On one
without AVX-512 (Zen 3) it has 80, and MKL 89: there it is not taken. Results
differ in the order of summation only.
"""

import functools
import os
import platform
from pathlib import Path
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.wrappers import Linear as MMCVLinear
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

__all__ = ['FastLinear', 'fast_linear', 'use_fast_linear']

#: '0' never takes oneDNN, '1' takes it on every CPU.
_SWITCH = 'MMHIERSEG_ONEDNN'


class FastLinear(nn.Linear):
    """``nn.Linear`` by :func:`fast_linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., D)."""
        return fast_linear(x, self.weight, self.bias)


def use_fast_linear(module: nn.Module) -> None:
    """Put a :class:`FastLinear` in the place of every linear layer below.

    They keep their parameters and names. Nothing is drawn.

    Args:
        module (nn.Module): Changed in place.

    Example:
        >>> layers = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> use_fast_linear(layers)
        >>> layers[0]
        FastLinear(in_features=2, out_features=3, bias=True)
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            # Not what derives from them: it does something else.
            if type(child) in (nn.Linear, MMCVLinear):
                fast = FastLinear(
                    child.in_features, child.out_features, device='meta')
                fast.weight, fast.bias = child.weight, child.bias
                fast.train(child.training)
                setattr(parent, name, fast)


def fast_linear(x: Tensor,
                weight: Tensor,
                bias: Optional[Tensor] = None) -> Tensor:
    """``F.linear`` by oneDNN, where that is faster.

    Args:
        x (Tensor): (..., C).
        weight (Tensor): (D, C).
        bias (Tensor, optional): (D,). Defaults to None.

    Returns:
        Tensor: (..., D).

    Example:
        >>> fast_linear(torch.ones(1, 2), torch.tensor([[1., 2.]]))
        tensor([[3.]])
    """
    if not _is_for_onednn(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled():
        return _OneDNNLinear.apply(x, weight, bias)
    return _product(x, weight, bias)


def _is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    # What is compiled or traced is to be the operator that everybody knows.
    return (not torch.compiler.is_compiling() and not torch.jit.is_tracing()
            and x.device.type == 'cpu' and x.dtype == torch.float32
            and weight.dtype == torch.float32 and x.dim() > 1
            and x.numel() > 0 and _is_worthwhile()
            and not torch.is_autocast_enabled('cpu')
            and not torch._C._are_functorch_transforms_active())


@functools.cache
def has_onednn() -> bool:
    """Whether this build of PyTorch has the operator that is used here."""
    if not torch.backends.mkldnn.is_available():
        return False
    first, second = torch.eye(3), torch.arange(6.).view(2, 3)
    try:
        return torch.equal(_product(first, second), second.t())
    except (AttributeError, RuntimeError, TypeError):
        return False


def _is_worthwhile() -> bool:
    switch = os.environ.get(_SWITCH)
    if switch == '0' or not has_onednn():
        return False
    return switch == '1' or _is_slow_with_mkl(_cpu())


@functools.cache
def _cpu() -> str:
    """What the system says of the CPU; '' if it says nothing."""
    cpus = Path('/proc/cpuinfo')
    return cpus.read_text() if cpus.exists() else platform.processor()


def _is_slow_with_mkl(cpu: str) -> bool:
    """Whether a CPU has AVX-512, but not from the maker that MKL is for."""
    return 'AuthenticAMD' in cpu and 'avx512f' in cpu


def _product(x: Tensor,
             weight: Tensor,
             bias: Optional[Tensor] = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')


class _OneDNNLinear(torch.autograd.Function):
    """The operator has no gradients of its own."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor,
                bias: Optional[Tensor]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx,
                 grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        x, weight = ctx.saved_tensors
        # Gradients of gradients are wanted: PyTorch knows those of F.linear.
        product = F.linear if torch.is_grad_enabled() else _product
        rows = grad.reshape(-1, grad.size(-1))
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = product(rows, weight.t()).view_as(x)
        if ctx.needs_input_grad[1]:
            of_weight = product(rows.t(), x.reshape(-1, x.size(-1)).t())
        if ctx.needs_input_grad[2]:
            of_bias = rows.sum(dim=0)
        return of_x, of_weight, of_bias


if hasattr(torch.ops.mkldnn, '_linear_pointwise'):

    @register_flop_formula(torch.ops.mkldnn._linear_pointwise)
    def _count_operations(x_shape: Tuple[int, ...],
                          weight_shape: Tuple[int, ...], *args,
                          out_shape: Optional[Tuple[int, ...]] = None,
                          **kwargs) -> int:
        """For PyTorch's FlopCounterMode."""
        return 2 * weight_shape[0] * torch.Size(x_shape).numel()
