"""Layer-wise learning rates, for segmentors too."""

from collections.abc import Callable

from mmpretrain.engine.optimizers import (
    LearningRateDecayOptimWrapperConstructor,
)
from torch import nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['LayerDecayOptimWrapperConstructor']


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
        LearningRateDecayOptimWrapperConstructor):
    """Layer-wise learning rates by the depth that the backbone reports.

    MMPretrain's constructor asks the model for the depth of each parameter;
    MMSegmentation's segmentors do not know it, but their backbones do. A
    parameter that is L layers below the heads has the learning rate times
    ``layer_decay_rate`` to the power of L; heads, necks and CAST's fusion
    have it unchanged.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper.
        paramwise_cfg (dict, optional): Settings by parameter, with
            ``layer_decay_rate``. Defaults to None.

    Raises:
        TypeError: If neither the model nor its ``backbone`` has a method
            ``get_layer_depth``.
    """

    def add_params(self,
                   params: list[dict],
                   module: nn.Module,
                   prefix: str = '',
                   get_layer_depth: Callable | None = None,
                   **kwargs) -> None:
        """Add the parameters of a model, or of a part of it, to groups."""
        if get_layer_depth is None:
            get_layer_depth = _depths_of(module)
        super().add_params(params, module, prefix, get_layer_depth)


def _depths_of(model: nn.Module) -> Callable[[str], tuple[int, int]]:
    if hasattr(model, 'get_layer_depth'):
        return model.get_layer_depth
    backbone = getattr(model, 'backbone', None)
    if not hasattr(backbone, 'get_layer_depth'):
        raise TypeError(
            'layer-wise learning rates need a backbone that knows the depth '
            'of its parameters by `get_layer_depth`, as mmhierseg.CAST and '
            f"MMPretrain's transformers do, got {type(backbone).__name__}")
    return lambda name: backbone.get_layer_depth(name, 'backbone.')
