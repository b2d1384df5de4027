"""Whether a look at values costs time."""

from torch import Tensor


def has_to_wait(tensor: Tensor) -> bool:
    """Whether who reads values of a tensor waits for its device.

    Args:
        tensor (Tensor): Of any shape.

    Returns:
        bool: Whether it is not on the CPU. Loops then do a fixed number of
        steps instead of looking whether they are done.
    """
    return tensor.device.type != 'cpu'
