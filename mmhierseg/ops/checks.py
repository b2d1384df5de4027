"""Argument checks that the operators share."""

from collections.abc import Sequence

import torch
from torch import Tensor


def reads_are_free(tensor: Tensor) -> bool:
    """Whether the host may read values: on the CPU, not in a traced graph."""
    return (tensor.device.type == 'cpu' and not torch.compiler.is_compiling())


def is_exporting() -> bool:
    """Whether ``torch.export`` traces; PyTorch 2.6 does not say so."""
    return getattr(torch.compiler, 'is_exporting', lambda: False)()


def wide(tensor: Tensor, *others: Tensor) -> Tensor:
    """The tensor in at least float32, and in the precision of others."""
    dtype = torch.promote_types(tensor.dtype, torch.float32)
    for other in others:
        dtype = torch.promote_types(dtype, other.dtype)
    return tensor.to(dtype)


def check_at_least_1(**numbers: int) -> None:
    """Check that numbers are positive."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f'`{name}` must be at least 1, got {number}')


def check_dtype(dtype: torch.dtype, **tensors: Tensor | None) -> None:
    """Check that tensors, unless None, have a dtype."""
    for name, tensor in tensors.items():
        if tensor is not None and tensor.dtype != dtype:
            raise TypeError(f'`{name}` must be {str(dtype)[6:]}, got '
                            f'{tensor.dtype}')


def check_shape(shape: Sequence[int], **tensors: Tensor | None) -> None:
    """Check that tensors, unless None, have a shape."""
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != shape:
            raise ValueError(f'`{name}` must have shape {tuple(shape)}, got '
                             f'{tuple(tensor.shape)}')


def check_range(number: int, least: int | None = None,
                **tensors: Tensor) -> None:
    """Check that integers are below a number; this reads them.

    Traced graphs, which cannot, are not checked.
    """
    for name, tensor in tensors.items():
        if torch.compiler.is_compiling() or not tensor.numel():
            continue
        smallest, largest = (int(end) for end in tensor.aminmax())
        if largest >= number or (least is not None and smallest < least):
            raise ValueError(
                f'`{name}` must lie in [{-1 if least is None else least}, '
                f'{number - 1}], got {smallest} to {largest}')


def check_labels(labels: Tensor, num_segments: int) -> None:
    """Check that labels are (B, H, W) int64 and, on the CPU, below N."""
    check_dtype(torch.int64, labels=labels)
    if labels.dim() != 3:
        raise ValueError('`labels` must have shape (B, H, W), got '
                         f'{tuple(labels.shape)}')
    check_at_least_1(num_segments=num_segments)
    if reads_are_free(labels):
        # A larger one would count for another image of the batch.
        check_range(num_segments, labels=labels)


def check_tokens(empty: Tensor | None = None,
                 mask_name: str = 'empty',
                 **tokens: Tensor) -> None:
    """Check that tokens are (B, N, C), N at least 1, and masks (B, N) bool."""
    for name, rows in tokens.items():
        if rows.dim() != 3 or rows.size(1) < 1:
            raise ValueError(f'`{name}` must have shape (B, N, C) with N at '
                             f'least 1, got {tuple(rows.shape)}')
        check_dtype(torch.bool, **{mask_name: empty})
        check_shape(rows.shape[:2], **{mask_name: empty})
