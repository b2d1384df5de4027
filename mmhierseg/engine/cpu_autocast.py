"""Training in bfloat16 where there is no GPU."""

from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

__all__ = ['CPUAutocastOptimWrapper']


@OPTIM_WRAPPERS.register_module()
class CPUAutocastOptimWrapper(OptimWrapper):
    """Mixed precision on the CPU: bfloat16 by autocast.

    MMEngine's AmpOptimWrapper comes with a gradient scaler, which needs a
    GPU. bfloat16 needs no scaler: its numbers are as large, and as small, as
    those of float32. Weights, gradients and states of the optimizer stay in
    full precision.

    Args:
        optimizer (Optimizer): Of the parameters.
        options: Those of MMEngine's OptimWrapper.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Data preprocessor, forward pass and loss of a step.

        Args:
            model (nn.Module): What is trained.

        Yields:
            None: Autocast is on meanwhile.
        """
        with super().optim_context(model), torch.autocast(
                'cpu', torch.bfloat16):
            yield
