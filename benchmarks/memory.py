"""Peak memory of a piece of work, the same quantity on CPU and GPU.

Both are counts of PyTorch's allocator: how many bytes of tensors were alive
at once, temporary ones inside operators included. On CUDA the allocator keeps
that count. On the CPU the profiler records every allocation and its release,
whose running sum is followed here; it is exact, and the same in every run.
(It does not record the release of older tensors, so work that frees some of
them, as no training step does, seems to need more.)

The size of the process is not used because it depends on what ran before: the
C library keeps much of what is released, so later work finds its memory there
and seems to need none. Scratch space of oneDNN and cuDNN and the code of the
libraries, which PyTorch's allocator does not see, are missing here.
"""

from collections.abc import Callable, Iterable
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

__all__ = ['held_bytes', 'held_by_training', 'peak_bytes']


def peak_bytes(call: Callable[[], object], device: str = 'cpu') -> int:
    """Most memory that is taken at once, above what is taken before.

    Args:
        call (Callable): The work, without arguments. What it returns is
            released after the measurement.
        device (str): 'cpu' or 'cuda', whose memory is meant.
            Defaults to 'cpu'.

    Returns:
        int: Bytes, at least 0.

    Example:
        >>> peak_bytes(lambda: torch.zeros(1000) + 1)
        8004
    """
    if device == 'cuda':
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    # A release is recorded as an allocation of a negative number of bytes.
    with profile(
            activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    events = [
        event for event in record.profiler.kineto_results.events()
        if event.name() == '[memory]'
        and event.device_type() == torch.autograd.DeviceType.CPU
    ]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate((event.nbytes() for event in events), initial=0))


def held_bytes(tensors: Iterable[Tensor]) -> int:
    """Memory that tensors hold, counting what they share once.

    Args:
        tensors (Iterable[Tensor]): Parameters, buffers, states...

    Returns:
        int: Bytes of their storages.

    Example:
        >>> x = torch.zeros(4, 4)
        >>> held_bytes([x, x[1], x.t(), torch.zeros(1)])
        68
    """
    storages = {}
    for tensor in tensors:
        storage = tensor.untyped_storage()
        storages[tensor.device, storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def held_by_training(model: nn.Module,
                     optimizer: torch.optim.Optimizer | None) -> int:
    """Memory of weights, buffers, gradients and the optimizer's state."""
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [x.grad for x in tensors if x.grad is not None]
    if optimizer is not None:
        tensors += [
            x for state in optimizer.state.values() for x in state.values()
            if isinstance(x, Tensor)
        ]
    return held_bytes(tensors)
