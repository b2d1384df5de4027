"""Which parts of a model FSDP gathers and frees as one."""

from typing import Sequence

from mmengine.registry import FUNCTIONS
from torch import nn

__all__ = ['wrap_by_class_name']


# In MMEngine's own registry: its wrapper looks policies up there only.
@FUNCTIONS.register_module()
def wrap_by_class_name(module: nn.Module, recurse: bool,
                       nonwrapped_numel: int,
                       class_names: Sequence[str]) -> bool:
    """Make a unit of every module of the named classes.

    An ``auto_wrap_policy`` of FSDP, for configs, where PyTorch's own policies
    would need the classes themselves. Only ``forward`` of a unit gathers its
    parameters, so a module may be named only if nothing calls its other
    methods (a pooling of CAST and MMPretrain's heads may not).

    Args:
        module (nn.Module): A part of the model.
        recurse (bool): Whether FSDP asks if to look into the module, instead
            of whether to make it a unit.
        nonwrapped_numel (int): Number of its parameters that are in no unit
            yet; not used.
        class_names (Sequence[str]): Names of classes, without packages.

    Returns:
        bool: The answer to what is asked.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> wrap_by_class_name(layer, False, 6, class_names=['Linear'])
        True
        >>> wrap_by_class_name(layer, False, 6, class_names=['Conv2d'])
        False
    """
    return recurse or type(module).__name__ in class_names
