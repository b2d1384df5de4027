"""Layer-wise learning rates, for segmentors too."""

from mmpretrain.engine.optimizers import (
    LearningRateDecayOptimWrapperConstructor,
)
from torch import nn

from mmhierseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
        LearningRateDecayOptimWrapperConstructor):
    """Layer-wise learning rates by the depth that the backbone reports.

    MMPretrain's constructor, for segmentors too: a parameter that is L layers
    below the heads has the learning rate times ``layer_decay_rate`` (of
    ``paramwise_cfg``) to the power of L; heads, necks and CAST's fusion have
    it unchanged.

    Raises:
        TypeError: If neither the model nor its ``backbone`` has a method
            ``get_layer_depth``.
    """

    def add_params(self, params: list[dict], module: nn.Module,
                   **kwargs) -> None:
        """Add the parameters of a model to groups."""
        if 'get_layer_depth' not in kwargs and not hasattr(
                module, 'get_layer_depth'):
            backbone = getattr(module, 'backbone', None)
            if not hasattr(backbone, 'get_layer_depth'):
                raise TypeError(
                    'layer-wise learning rates need a backbone that knows the '
                    'depth of its parameters by `get_layer_depth`, as '
                    "mmhierseg.CAST and MMPretrain's transformers do, got "
                    f'{type(backbone).__name__}')
            kwargs['get_layer_depth'] = lambda name: backbone.get_layer_depth(
                name, 'backbone.')
        super().add_params(params, module, **kwargs)
