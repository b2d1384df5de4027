"""Learning rates that fall from layer to layer, for segmentors too.

MMPretrain's constructor asks the model for the depth of each parameter, which
its classifiers know and MMSegmentation's segmentors do not: their backbone
does.
"""

from typing import Callable, List, Optional, Tuple

from mmpretrain.engine.optimizers import (
    LearningRateDecayOptimWrapperConstructor,
)
from torch import nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['LayerDecayOptimWrapperConstructor']

_BACKBONE = 'backbone.'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
        LearningRateDecayOptimWrapperConstructor):
    """Layer-wise learning rates by the depth that the backbone tells.

    The options are those of MMPretrain's
    ``LearningRateDecayOptimWrapperConstructor``: ``layer_decay_rate`` in
    ``paramwise_cfg``, and multipliers of the weight decay. A parameter that
    is L layers below the heads has the learning rate times
    ``layer_decay_rate`` to the power of L; heads, necks and CAST's fusion
    have it as it is.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper.
        paramwise_cfg (dict, optional): Settings by parameter.
            Defaults to None.

    Raises:
        TypeError: If neither the model nor its ``backbone`` has a method
            ``get_layer_depth``.
    """

    def add_params(self,
                   params: List[dict],
                   module: nn.Module,
                   prefix: str = '',
                   get_layer_depth: Optional[Callable] = None,
                   **kwargs) -> None:
        """Add the parameters of a model, with their own settings.

        Args:
            params (list[dict]): Groups of parameters, to be added to.
            module (nn.Module): The model, or a part of it.
            prefix (str): Name of the part, with a dot. Defaults to ''.
            get_layer_depth (Callable, optional): Gives depth and number of
                layers of a parameter by its name. Defaults to None: that of
                the model, or of its backbone.
            **kwargs: Of MMEngine's constructors; not used.
        """
        if get_layer_depth is None:
            get_layer_depth = _depths_of(module)
        super().add_params(params, module, prefix, get_layer_depth)


def _depths_of(model: nn.Module) -> Callable[[str], Tuple[int, int]]:
    if hasattr(model, 'get_layer_depth'):
        return model.get_layer_depth
    backbone = getattr(model, 'backbone', None)
    if not hasattr(backbone, 'get_layer_depth'):
        raise TypeError(
            'layer-wise learning rates need a backbone that knows the depth '
            'of its parameters by `get_layer_depth`, as mmhierseg.CAST and '
            f"MMPretrain's transformers do, got {type(backbone).__name__}")
    return lambda name: backbone.get_layer_depth(name, _BACKBONE)
