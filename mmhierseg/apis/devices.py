"""The device that a user names."""

from typing import Optional, Union

import torch
from mmengine.device import get_device

__all__ = ['find_device']


def find_device(device: Optional[Union[str, torch.device]]) -> torch.device:
    """Check that a device is there, by using it.

    Args:
        device (str | torch.device, optional): The device. None: a GPU if
            there is one.

    Returns:
        torch.device: The device.

    Raises:
        ValueError: If there is no such device, or none that computes.

    Example:
        >>> find_device('cpu')
        device(type='cpu')
    """
    name = get_device() if device is None else device
    try:
        found = torch.device(name)
        # There and back: 'meta' takes tensors but gives none.
        torch.zeros(1, device=found).cpu()
    except (AssertionError, ImportError, RuntimeError, TypeError) as error:
        # Each backend that is absent complains in its own way.
        raise ValueError(
            f'`device` must be one of this machine, e.g. {_present()}, or '
            f'None, got {str(name)!r}') from error
    return found


def _present() -> str:
    """Devices that are there, for a message."""
    gpus = [f'cuda:{i}' for i in range(torch.cuda.device_count())]
    return ' or '.join(map(repr, ['cpu', *gpus]))
